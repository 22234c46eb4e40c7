"""The page in a real cluster: for a team, where people sign in with Kubernetes tokens under real RBAC, and `mlwf ui` with a kubeconfig; both in a real browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from playwright.sync_api import Browser

from tests.ui import walk
from tests.ui.page import Home, Window, chromium, served, window

from .conftest import RELEASE, Cluster, own_namespace, wait_for
from .test_mistakes import shell, workflow

TIMEOUT = 60


class Person:
    """A browser of somebody's."""

    def __init__(self, origin: str) -> None:
        self.origin, self.csrf = origin, ""
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def ask(self, path: str, /, body: Mapping[str, Any] | None = None, **query: Any) -> tuple[int, bytes]:
        url = f"{self.origin}/api/v1/{path}?{urlencode(query)}"
        headers = {"Content-Type": "application/json", "Origin": self.origin, "X-Mlwf-Csrf": self.csrf}
        data = None if body is None else json.dumps(body).encode()
        try:
            with self._opener.open(urllib.request.Request(url, data, headers), timeout=TIMEOUT) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def get(self, path: str, /, **query: Any) -> Any:
        status, answer = self.ask(path, **query)
        assert status == 200, answer
        return json.loads(answer)

    def sign_in(self, token: str) -> Any:
        status, answer = self.ask("sign-in", {"token": token})
        assert status == 200, answer
        session = json.loads(answer)
        self.csrf = session["csrf"]
        return session


@pytest.fixture(scope="module")
def page(cluster: Cluster, operator: str) -> Iterator[str]:
    """Where it is served."""
    if "KUBECONFIG" not in os.environ:
        pods = cluster.get("pods", operator, "-l", "app.kubernetes.io/component=ui")
        (pod,) = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"])
        yield f"http://{pod['status']['podIP']}:8080"
        return
    command = ["kubectl", "-n", operator, "port-forward", f"service/{RELEASE}-ui", ":80"]
    with subprocess.Popen(command, env=cluster.environ, stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout
            port = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
            assert port
            yield f"http://127.0.0.1:{port[1]}"
        finally:
            forward.terminate()


@pytest.fixture(scope="module")
def namespace(cluster: Cluster, operator: str) -> Iterator[str]:
    """One for all of them: what one test has run the next looks at."""
    with own_namespace(cluster) as name:
        yield name


@pytest.fixture(scope="module")
def tokens(cluster: Cluster, operator: str, namespace: str) -> Iterator[dict[str, str]]:
    """Ann edits the namespace, reads artifacts and moves aliases, Ben views it alone, Eve has no role at all."""
    for name in ("ann", "ben", "eve"):
        cluster.kubectl("create", "serviceaccount", name, "-n", namespace)
    for name, role in (("ann", "edit"), ("ben", "view")):
        cluster.kubectl("create", "rolebinding", name, "-n", namespace, f"--clusterrole={role}", f"--serviceaccount={namespace}:{name}")  # fmt: skip
    roles = [f"{RELEASE}-artifact-reader", f"{RELEASE}-dataset-writer"]
    for role in roles:
        cluster.kubectl("create", "rolebinding", f"{namespace}-{role}", "-n", operator, f"--role={role}", f"--serviceaccount={namespace}:ann")  # fmt: skip
    yield {name: cluster.kubectl("create", "token", name, "-n", namespace).strip() for name in ("ann", "ben", "eve")}
    for role in roles:
        cluster.kubectl("delete", "rolebinding", f"{namespace}-{role}", "-n", operator)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def test_everybody_sees_and_does_on_the_page_what_their_roles_allow(
    cluster: Cluster, page: str, namespace: str, tokens: dict[str, str]
) -> None:
    ann, ben, eve = (Person(page) for _ in range(3))
    assert ann.ask("runs")[0] == 401
    assert ann.ask("sign-in", {"token": f"{tokens['ann']}x"})[0] == 401
    session = ann.sign_in(tokens["ann"])
    assert session["user"] == f"system:serviceaccount:{namespace}:ann"
    assert (session["mode"], session["namespace"]) == ("team", namespace)
    assert {"submit", "cancel", "delete"} <= {*session["rights"]["may"]}

    step = shell("say", "echo hello && echo data > $MLWF_OUT/data", outputs={"data": {}})
    status, done = ann.ask("submit", {"text": json.dumps(workflow(step)), "namespace": namespace})
    assert status == 200, done
    which = {"namespace": namespace, "run": json.loads(done)["run"]}
    wait_for(lambda: ann.get("run", **which)["row"]["phase"] == "Succeeded", 120, cluster.operator_log)
    wait_for(lambda: [row["phase"] for row in ann.get("runs", namespace=namespace)["rows"]] == ["Succeeded"], 30)
    task = ann.get("run/task", **which, task="say")
    assert task["pod"]["events"] or task["pod"]["phase"]
    assert ann.ask("run/log", **which, task="say") == (200, b"hello\n")
    (data,) = ann.get("run/artifacts", **which)["rows"]
    preview = ann.get("artifact", namespace=namespace, digest=data["digest"], name="data")
    assert preview["body"]["text"] == "data\n"

    assert ben.sign_in(tokens["ben"])["rights"]["may"] == []
    wait_for(lambda: ben.get("runs", namespace=namespace)["total"] == 1, 30)
    assert ben.get("run", **which)["state"]["may"] == []
    assert ben.ask("run/delete", which)[0] == 403
    assert ben.ask("artifact", namespace=namespace, digest=data["digest"])[0] == 403

    eve.sign_in(tokens["eve"])
    status, problem = eve.ask("run", **which)
    assert (status, "not allowed" in json.loads(problem)["message"]) == (403, True)
    wait_for(lambda: not eve.get("runs", namespace=namespace)["isLoading"], 30)
    found = eve.get("runs", namespace=namespace)
    assert (found["rows"], {each["status"] for each in found["problems"]}) == ([], {403})
    assert ann.ask("run/delete", which)[0] == 200


def looking(at: Window, prefix: str) -> Callable[[str], None]:
    """What is done at every view: is it for everybody, and what does it look like?"""

    def looked(name: str) -> None:
        for scheme in ("light", "dark"):
            at.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert at.axe() == [], f"{name}, {scheme}"
        at.pictures(f"{prefix}-{name}", {390: 844, 1600: 1000})

    return looked


@pytest.fixture(scope="module")
def walked(page: str, browser: Browser, namespace: str, tokens: dict[str, str]) -> tuple[walk.Which, walk.Which]:
    """The runs that the walk of the team's page has left."""
    with window(browser, page, shown="main.sign") as at:
        at.complaints.clear()  # the browser tells of the answer 401
        looked = looking(at, "node-team")
        looked("sign-in")
        at.page.get_by_label("Token").fill(tokens["ann"])
        at.page.get_by_role("button", name="Sign in").click()
        at.page.locator("main.page").wait_for()
        runs = walk.everything(at, looked, has_pod=True)
        at.page.get_by_role("button", name="Sign out").click()
        at.page.locator("main.sign").wait_for()
        # Chromium tells that nobody is signed in any more, and that the address of a Pod is no HTTPS.
        at.complaints[:] = [said for said in at.complaints if "401" not in said and "Opener-Policy" not in said]
    return runs


def test_every_view_and_action_of_the_team_s_page(walked: tuple[walk.Which, walk.Which], cluster: Cluster) -> None:
    for which in walked:
        assert cluster.workflow(which.namespace, which.run)["status"]["phase"] == "Succeeded"


def test_every_view_of_mlwf_ui_with_a_kubeconfig(
    cluster: Cluster,
    walked: tuple[walk.Which, walk.Which],
    browser: Browser,
    namespace: str,
    tokens: dict[str, str],
    tmp_path: Path,
) -> None:
    """With Ann's, who may see this namespace alone."""
    config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    for user in config["users"]:
        user["user"] = {"token": tokens["ann"]}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    home = Home(tmp_path)
    try:
        with (
            served(home, "--kubeconfig", str(kubeconfig), "-n", namespace) as address,
            window(browser, address) as at,
        ):
            walk.compare(at, [*walked], looking(at, "node-kubeconfig"))
            walk.views(at, walked[0], lambda _: None, has_pod=True)
            walk.steer(at, lambda _: None, has_pod=True)
    finally:
        home.end()

"""A real cluster for the tests here: the one that KUBECONFIG names, else our own node with images built from this checkout.

The chart is installed once, with MinIO; each test gets a namespace of its own that enforces the restricted Pod security standard.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SYSTEM = "mlworkflow-system"
RELEASE = "mlworkflow"


class Cluster:
    """kubectl and helm, pointed at the cluster under test. Failures carry what the tool said."""

    def __init__(self, kubeconfig: str, kubectl: str, helm: str) -> None:
        self.environ = {**os.environ, "KUBECONFIG": kubeconfig}
        self.kubeconfig = kubeconfig
        self._kubectl, self._helm = kubectl, helm

    def run(self, *command: str, stdin: str | None = None, timeout: float = 180, check: bool = True) -> str:
        done = subprocess.run(command, input=stdin, env=self.environ, capture_output=True, text=True, timeout=timeout)
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    def kubectl(self, *args: str, stdin: str | None = None, timeout: float = 180, check: bool = True) -> str:
        return self.run(self._kubectl, *args, stdin=stdin, timeout=timeout, check=check)

    def helm(self, *args: str, timeout: float = 300) -> str:
        return self.run(self._helm, *args, timeout=timeout)

    def is_up(self) -> bool:
        return self.kubectl("get", "--raw", "/readyz", "--request-timeout=5s", check=False).startswith("ok")

    def get(self, kind: str, namespace: str, *args: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-n", namespace, "-o", "json", *args))[
            "items"
        ]
        return items

    def workflow(self, namespace: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "mlwf", name, "-n", namespace, "-o", "json"))
        return found

    def apply(self, namespace: str, resource: dict[str, Any] | str) -> None:
        self.kubectl(
            "apply",
            "-n",
            namespace,
            "-f",
            "-",
            stdin=resource if isinstance(resource, str) else yaml.safe_dump(resource),
        )

    def wait_phase(self, namespace: str, name: str, timeout: float = 120) -> dict[str, Any]:
        """The workflow once it has ended."""

        def ended() -> dict[str, Any] | None:
            workflow = self.workflow(namespace, name)
            return workflow if workflow.get("status", {}).get("phase") in ("Succeeded", "Failed", "Cancelled") else None

        return wait_for(
            ended, timeout, lambda: f"{self.workflow(namespace, name).get('status')}\n{self.operator_log()}"
        )

    def operator_log(self, lines: int = 60) -> str:
        return self.kubectl("logs", "-n", SYSTEM, "deploy/mlworkflow", f"--tail={lines}", check=False)


def wait_for(ready: Callable[[], Any], timeout: float = 60, otherwise: Callable[[], object] = lambda: "") -> Any:
    """What `ready` gives once it gives something true."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(0.1)
    pytest.fail(f"not within {timeout} s: {otherwise()}")


def mlwf(cluster: Cluster, *args: str, home: Path | None = None, timeout: float = 300) -> str:
    environ = {**cluster.environ, **({"MLWF_HOME": str(home)} if home else {})}
    done = subprocess.run(
        [Path(sys.executable).parent / "mlwf", *args], env=environ, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, f"mlwf {' '.join(args)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def served(folder: Path, host: str) -> Iterator[str]:
    """A web server for the files of a folder, on the address at which Pods reach this machine."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer((host, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    if given := os.environ.get("KUBECONFIG"):
        return Cluster(given, "kubectl", "helm")
    from node import api

    try:
        kubeconfig = api.ensure_up()
        return Cluster(str(kubeconfig), str(api.binary("kubectl")), str(api.binary("helm")))
    except api.Missing as missing:
        pytest.fail(
            f"the cluster tests cannot run here: {missing}\nRun fewer tiers: make test TIERS='unit component'",
            pytrace=False,
        )


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> None:
    """Our images, as this checkout has them, on the nodes. For a cluster of your own (KUBECONFIG) that is your task."""
    if "KUBECONFIG" not in os.environ:
        from node import api

        api.ensure_images()


@pytest.fixture(scope="session")
def operator(cluster: Cluster, images: None) -> Iterator[str]:
    """The chart, installed with MinIO and the page; the namespace it is in."""
    now = time.time()  # new Pods, should there be a newer image under the old tag
    cluster.helm(
        "upgrade", "--install", RELEASE, str(ROOT / "charts/mlworkflow"), "--namespace", SYSTEM, "--create-namespace",
        "--set", "store.persistence.enabled=false,ui.enabled=true", "--wait", "--timeout", "3m",
        "--set-string", f"operator.podAnnotations.started={now},ui.podAnnotations.started={now}",
    )  # fmt: skip
    yield SYSTEM
    if cluster.is_up() and not os.environ.get("MLWF_KEEP"):  # the last test of this folder takes our own node down
        cluster.helm("uninstall", RELEASE, "--namespace", SYSTEM, "--wait")


@contextlib.contextmanager
def own_namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh namespace under the restricted Pod security standard."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own."""
    with own_namespace(cluster) as name:
        yield name

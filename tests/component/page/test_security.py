"""Who may ask the page's server for what (docs/ui.md, the security model)."""

from __future__ import annotations

import http.client
import json
import urllib.request
from urllib.parse import urlsplit

import pytest

from tests.component.page.conftest import Page

HTML = r"""
apiVersion: mlworkflow.io/v1alpha1
kind: MLWorkflow
metadata: {name: pages}
spec:
  steps:
    - name: make
      container: {image: none, command: [sh, -c, 'echo "<!doctype html><script>fetch(\"/api/v1/session\")</script>" > $MLWF_OUT/report']}
      outputs: {report: {}}
"""


@pytest.fixture(scope="module")
def report(page: Page) -> dict[str, str]:
    run = page.submit(HTML)
    assert page.ended(run) == "Succeeded"
    (row,) = page.get("run/artifacts", run=run)["rows"]
    return {"digest": row["digest"], "name": "report", "run": run}


def test_only_who_has_the_address_gets_in(page: Page) -> None:
    (cookie,) = page.cookies
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{page.origin}/api/v1/session", timeout=60)
    wrong = urllib.request.urlopen(f"{page.origin}/api/v1/sign-in", timeout=60)
    assert json.load(wrong) == {
        "isNeeded": True,
        "ways": ["link"],
        "provider": "",
        "hint": "open the address that mlwf ui has printed; it ends with ?token=…",
    }
    assert page.fetch("/api/v1/sign-in").json["isNeeded"] is False


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "attacker.example:80"}, 403),
        ({"Origin": "http://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_other_sites_get_no_answer(page: Page, headers: dict[str, str], status: int) -> None:
    assert page.fetch("/api/v1/session", headers).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 403),  # no X-Mlwf-Csrf
        ({"Content-Type": "application/json", "X-Mlwf-Csrf": "guessed"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_nothing_is_changed_for_what_the_page_has_not_sent(page: Page, headers: dict[str, str], status: int) -> None:
    body = json.dumps({"namespace": "local", "run": "any.1"}).encode()
    assert page.fetch("/api/v1/run/cancel", {"Origin": page.origin, **headers}, body).status == status


def test_a_request_has_an_end(page: Page) -> None:
    """It is refused by what it says of itself, before any of it is read."""
    asked = http.client.HTTPConnection(urlsplit(page.origin).netloc, timeout=60)
    headers = {"Content-Type": "application/json", "Content-Length": str(3 << 20), "Origin": page.origin}
    asked.request("POST", "/api/v1/lint", headers=headers)
    assert asked.getresponse().status == 413
    asked.close()


def test_every_response_says_what_a_browser_may_do_with_it(page: Page) -> None:
    said = page.fetch("/")
    policy = said.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.get("session")["contentOrigin"] in policy
    assert said.headers["x-content-type-options"] == "nosniff"
    assert page.fetch("/api/v1/nothing").headers["content-security-policy"] == policy


def test_html_of_steps_comes_from_another_origin_sandboxed(page: Page, report: dict[str, str]) -> None:
    body = page.get("artifact", **report)["body"]
    assert body["kind"] == "html"
    origin = page.get("session")["contentOrigin"]
    assert body["url"].startswith(f"{origin}/content/")
    assert origin != page.origin
    said = urllib.request.urlopen(body["url"], timeout=60)
    assert said.read().startswith(b"<!doctype html>")
    policy = said.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "allow-same-origin" not in policy
    assert "connect-src 'none'" in policy
    assert said.headers["content-type"] == "text/html; charset=utf-8"


def test_the_other_origin_has_nothing_else_and_the_page_no_content(page: Page, report: dict[str, str]) -> None:
    url = page.get("artifact", **report)["body"]["url"]
    origin = page.get("session")["contentOrigin"]
    assert page.fetch(f"{origin}/api/v1/session").status == 404
    assert page.fetch(f"{origin}/").status == 404
    assert page.fetch(url.replace(origin, page.origin)).status == 404
    assert page.fetch(f"{url[:-4]}AAAA").status == 404
    assert page.fetch(f"{origin}/content/guess").status == 404


def test_what_is_no_image_is_not_shown_as_one(page: Page, report: dict[str, str]) -> None:
    assert page.ask("artifact/image", **report).status == 400
    saved = page.ask("artifact/download", **report)
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("artifact", {"digest": "sha256:../../secrets"}),
        ("artifact/download", {"digest": "../" * 8 + "etc/passwd"}),
        ("run", {"run": "../other/digits"}),
        ("run", {"run": "x", "namespace": "a/../b"}),
        ("model", {"name": "../x"}),
        ("runs", {"cursor": "no"}),
        ("runs", {"sort": "colour"}),
        ("runs", {"limit": "-1"}),
    ],
)
def test_names_are_no_paths_and_numbers_are_numbers(page: Page, path: str, query: dict[str, str]) -> None:
    assert page.ask(path, **query).status == 400


def test_code_of_files_is_read_from_below_the_servers_folder_alone(page: Page) -> None:
    text = HTML.replace("container: {", "python: {file: ../../../etc/hostname}\n      was: {")
    (finding, *_) = page.post("lint", {"text": text}).json["findings"]
    assert "not in the folder" in finding["message"]


def test_a_short_text_cannot_stand_for_billions_of_values(page: Page) -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join(f'*a{n - 1}' for _ in range(10))}]" for n in range(1, 12))
    (finding,) = page.post("lint", {"text": f"a0: &a0 [1, 2]\n{levels}\n"}).json["findings"]
    assert "aliases" in finding["message"]

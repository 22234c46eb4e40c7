"""One server of the page for the runs of one folder, as `mlwf ui` starts it, and a browser's part of talking to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

PATIENCE = 120.0


class Said:
    """An answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Page:
    """Somebody who has opened the page."""

    def __init__(self, address: str, home: Path) -> None:
        self.address, self.home = address, home
        self.origin = address.partition("/?")[0]
        self.cookies = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.fetch(address)
        self.csrf = self.get("session")["csrf"]

    def fetch(self, url: str, headers: Mapping[str, str] | None = None, data: bytes | None = None) -> Said:
        """Any request, whatever comes of it."""
        asked = urllib.request.Request(url if "://" in url else f"{self.origin}{url}", data, dict(headers or {}))
        try:
            with self._opener.open(asked, timeout=PATIENCE) as answer:
                return Said(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Said(error.code, error.headers, error.read())

    def ask(self, path: str, /, **query: Any) -> Said:
        return self.fetch(f"/api/v1/{path}?{urlencode({'namespace': 'local', **query}, doseq=True)}")

    def get(self, path: str, /, **query: Any) -> Any:
        said = self.ask(path, **query)
        assert said.status == 200, said.body
        return said.json

    def post(self, path: str, body: Mapping[str, Any]) -> Said:
        headers = {"Content-Type": "application/json", "X-Mlwf-Csrf": self.csrf, "Origin": self.origin}
        return self.fetch(f"/api/v1/{path}", headers, json.dumps(body).encode())

    def submit(self, text: str, **more: Any) -> str:
        said = self.post("submit", {"text": text, **more})
        assert said.status == 200, said.body
        return str(said.json["run"])

    def until(self, run: str, is_so: Callable[[Any], bool]) -> Any:
        """A run once something is so of its row."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            row = self.get("run", run=run)["row"]
            if is_so(row):
                return row
            time.sleep(0.1)
        raise AssertionError(row)

    def ended(self, run: str) -> str:
        return str(self.until(run, lambda row: row["finished"] is not None)["phase"])

    @contextmanager
    def events(self, path: str, /, **query: Any) -> Iterator[Iterator[tuple[str, Any]]]:
        """What a stream tells, as (event, data)."""
        url = f"{self.origin}/api/v1/{path}?{urlencode({'namespace': 'local', **query})}"
        with self._opener.open(url, timeout=PATIENCE) as stream:
            yield _events(stream)


def _events(stream: Any) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in stream:
        word, _, rest = line.decode().rstrip("\n").partition(": ")
        if word == "event":
            name = rest
        elif word == "data":
            yield name, json.loads(rest)


@contextmanager
def served(home: Path) -> Iterator[Page]:
    """A server in a process of its own; ends with it."""
    command = [Path(sys.executable).with_name("mlwf"), "ui", "--home", str(home), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=home.parent, env={**os.environ})
    try:
        assert process.stdout
        yield Page(process.stdout.readline().strip(), home)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) in (0, 130)


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with served(tmp_path_factory.mktemp("page") / "home") as page:
        yield page

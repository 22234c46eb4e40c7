"""A real Prometheus on a loopback port: Debian's `prometheus`, with `promtool` beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.component.servers import free_port, running
from tests.node.prerequisites import need_prometheus


@contextmanager
def prometheus(folder: Path, target: str, rules: Path) -> Iterator[Prometheus]:
    """Scrapes `target` (host and port) every half second, and evaluates `rules` as often."""
    need_prometheus()
    port = free_port()
    config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "mlworkflow-metrics", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        shutil.which("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(command, folder, {}, [port]):
        found, deadline = Prometheus(f"http://127.0.0.1:{port}"), time.monotonic() + 60
        while not found.is_ready() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield found


class Prometheus:
    """Its HTTP API."""

    def __init__(self, url: str) -> None:
        self._url = url

    def is_ready(self) -> bool:
        """Whether it answers queries yet."""
        try:
            return isinstance(self._get("rules"), dict)
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now. Raises HTTPError for one that does not parse."""
        found: list[dict[str, Any]] = self._get(f"query?{urllib.parse.urlencode({'query': expression})}")["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """The rules, each with its `health` and its `lastError`."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}", timeout=30) as answer:
            return json.load(answer)["data"]


def promtool(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Runs it, `text` on its standard input."""
    need_prometheus()
    return subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, check=False)

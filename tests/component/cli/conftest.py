"""`mlwf` as a process of its own, in an empty folder: with no cluster to be found, or (`remote`) with one that is none."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.component.cli.fake_cluster import NAMESPACE, FakeCluster

ROOT = Path(__file__).parents[3]
MAIN = "from mlworkflow.cli import main; main()"


@dataclass
class Shell:
    """Runs `mlwf` in `folder`; what went wrong is never told by a traceback."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(ROOT / "operator"), str(ROOT / "steps")])
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": path,
            "LANG": "C.UTF-8",
            **self.environ,
        }
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *words], cwd=self.folder, env=environ, text=True, **{**pipes, **options}
        )

    def __call__(self, *words: str, code: int = 0, stdin: str = "") -> str:
        """What it prints on standard output; `code` is how it must end."""
        out, err = self.both(*words, code=code, stdin=stdin)
        return out if code == 0 else err

    def both(self, *words: str, code: int = 0, stdin: str = "") -> tuple[str, str]:
        process = self.start(*words, stdin=subprocess.PIPE)
        out, err = process.communicate(stdin, timeout=120)
        assert "Traceback" not in out + err, out + err
        assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
        return out, err

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.both(*words, "-o", "json", code=code)[0])

    def write(self, name: str, steps: Sequence[dict[str, Any]], **spec: Any) -> str:
        """A workflow file; JSON is YAML."""
        resource = {
            "apiVersion": "mlworkflow.io/v1alpha1",
            "kind": "MLWorkflow",
            "metadata": {"name": name},
            "spec": {"steps": list(steps), **spec},
        }
        (self.folder / f"{name}.yaml").write_text(json.dumps(resource))
        return f"{name}.yaml"


@pytest.fixture
def mlwf(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def sh() -> Callable[..., dict[str, Any]]:
    """A step that runs a shell script."""

    def step(name: str, script: str, **fields: Any) -> dict[str, Any]:
        return {"name": name, "container": {"command": ["sh", "-ec", script]}, **fields}

    return step


class Remote:
    """`mlwf` with a kubeconfig."""

    def __init__(self, shell: Shell, cluster: FakeCluster) -> None:
        self.shell, self.cluster = shell, cluster

    async def __call__(self, *words: str, code: int = 0) -> str:
        return await asyncio.to_thread(self.shell, *words, code=code)

    async def json(self, *words: str, code: int = 0) -> Any:
        return await asyncio.to_thread(self.shell.json, *words, code=code)


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FakeCluster]:
    cluster = FakeCluster(tmp_path)
    async with cluster.served() as url:
        config = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        yield cluster


@pytest.fixture
def remote(tmp_path: Path, cluster: FakeCluster) -> Remote:
    return Remote(Shell(tmp_path, {"KUBECONFIG": str(tmp_path / "kubeconfig")}), cluster)

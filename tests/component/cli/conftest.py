"""`mlwf` as a process of its own, in an empty folder, with no cluster to be found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

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

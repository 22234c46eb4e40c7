"""`python` steps by `mlwf run`, as their author would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Mlwf = Callable[..., str]
CODE = """
def main(rows: int):
    print("working")
    return {"total": rows * 2}
"""


@pytest.fixture
def mlwf(tmp_path: Path) -> Mlwf:
    """The command line in a home of its own; `code` is the exit code that it must have."""

    def mlwf(*args: str, code: int = 0, **environ: str) -> str:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [Path(sys.executable).parent / "mlwf", *args], env={**env, "MLWF_HOME": str(tmp_path / "home"), "MLWF_LOCAL": "1", **environ},
            cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if "json" in args else done.stdout + done.stderr

    return mlwf


def workflow(folder: Path, *steps: dict[str, Any]) -> str:
    head = {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "metadata": {"name": "w"}}
    (folder / "w.yaml").write_text(yaml.safe_dump({**head, "spec": {"steps": list(steps)}}))
    return "w.yaml"


def status_of(said: str) -> dict[str, Any]:
    return {step["name"]: step for step in json.loads(said)["status"]["steps"]}


def test_the_code_is_what_a_result_follows_from(mlwf: Mlwf, tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(CODE)
    file = workflow(tmp_path, {"name": "double", "params": {"rows": 4}, "python": {"file": "double.py"}})
    first = status_of(mlwf("run", file, "-o", "json"))["double"]
    again = status_of(mlwf("run", file, "-o", "json"))["double"]
    assert (first["outputs"], first.get("cached"), again["outputs"], again["cached"]) == (
        {"total": 8},
        None,
        {"total": 8},
        True,
    )
    (tmp_path / "double.py").write_text(CODE.replace("* 2", "* 3"))
    assert status_of(mlwf("run", file, "-o", "json"))["double"]["outputs"] == {"total": 12}
    assert "python.source: " in mlwf("why-miss", "w", "double")


def test_a_failure_says_where(mlwf: Mlwf, tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(CODE.replace("rows * 2", "rows / 0"))
    file = workflow(tmp_path, {"name": "double", "params": {"rows": 4}, "python": {"file": "double.py"}})
    assert "ZeroDivisionError: division by zero (double.py:4, in main)" in mlwf("run", file, code=1)
    log = mlwf("logs", "w", "double")
    assert log.index("working") < log.index("Traceback")
    assert '    return {"total": rows / 0}' in log

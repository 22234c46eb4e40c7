"""`mlwf run` on this machine: what a step costs beyond the process that it starts."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from tests.perf.table import Line, measured
from tests.perf.workflows import workflow

STEPS, ROUNDS = 20, 5
MOST = 60.0
"""Milliseconds of a step beyond its process."""


def lines() -> list[Line]:
    """One step after the other, each of which does nothing: what twenty more of them take."""
    with tempfile.TemporaryDirectory(prefix="mlworkflow-perf-") as name:
        folder = Path(name)
        one, many = _chain(folder / "one.yaml", 1), _chain(folder / "many.yaml", 1 + STEPS)
        rounds = [(_run(folder, many) - _run(folder, one)) / STEPS for _ in range(ROUNDS)]
        bare = statistics.median(_timed(["true"], dict(os.environ)) for _ in range(ROUNDS))
    for seconds in rounds:
        print(f"  mlwf run: {1000 * seconds:6.1f} ms a step", flush=True)
    return [measured("mlwf run, a step beyond its process", "ms", 1000 * (statistics.median(rounds) - bare), MOST)]


def _chain(path: Path, count: int) -> Path:
    steps = [
        {"name": f"s{number}", "container": {"command": ["true"]}, **({"after": [f"s{number - 1}"]} if number else {})}
        for number in range(count)
    ]
    path.write_text(yaml.safe_dump(workflow(steps)))
    return path


def _run(folder: Path, file: Path) -> float:
    environ = {**os.environ, "MLWF_HOME": str(folder / "home")}
    return _timed([str(Path(sys.executable).parent / "mlwf"), "run", str(file)], environ)


def _timed(command: list[str], environ: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began

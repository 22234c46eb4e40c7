"""How much of the processor each built-in kind takes until its work begins: the agent's own start, Python's, and what the kind imports.

Processor time and not the clock, so that a loaded machine says the same; the least of a few, for caches of files are not ours.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from tests.perf.table import Line, measured

ROOT = Path(__file__).parents[2]
BUDGET = 1.5
TIMES = 3
AGENT = "import mlworkflow_steps.agent.__main__, mlworkflow_steps.agent.run"
KIND = "import mlworkflow_steps.__main__ as kinds; kinds.prepare(); kinds.module_of({name!r})"


def seconds(code: str) -> float:
    """Of the processor, for a Python of its own that runs `code`: the least of a few."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "steps")}
    took = []
    for _ in range(TIMES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], env=environ, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took)


def lines() -> list[Line]:
    """One for each kind that has a container."""
    from mlworkflow_steps.__main__ import KINDS

    agent = seconds(AGENT)
    return [measured(f"start of {name}", "s", agent + seconds(KIND.format(name=name)), BUDGET) for name in KINDS]

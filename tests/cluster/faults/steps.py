"""Steps whose every run leaves a trace: their scripts know `say` (one line, `<step> <attempt>`) and `hold GATE` (wait for the test)."""

from __future__ import annotations

import time
from typing import Any

from node.api import image

from ..conftest import Cluster, wait_for
from ..test_mistakes import workflow
from .lines import Lines

__all__ = ["Making", "once", "run_of", "seconds_since", "wait_steps", "workflow"]

_BASH = r"""set -e
ask() { exec 3<>/dev/tcp/%s; printf '%%s %%s HTTP/1.0\r\nContent-Length: %%s\r\n\r\n%%s' "$1" "$2" "${#3}" "$3" >&3
  read -r _ code _ <&3; exec 3<&-; [ "$code" = 200 ]; }
say() { ask POST / "$MLWF_STEP $MLWF_ATTEMPT"; }
hold() { ask GET "/hold/$1" ""; }
"""
_BUSYBOX = r"""set -e
say() { wget -q -O /dev/null --post-data "$MLWF_STEP $MLWF_ATTEMPT" http://%s/; }
hold() { wget -q -O /dev/null "http://%s/hold/$1"; }
"""


class Making:
    """Makes steps that talk to one server."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def light(self, name: str, script: str = "say", **fields: Any) -> dict[str, Any]:
        """One container: bash under the agent."""
        prelude = _BASH % self._lines.address.replace(":", "/")
        command = ["bash", "-c", prelude + script]
        return {"name": name, "container": {"image": image("agent"), "agent": True, "command": command}, **fields}

    def plain(self, name: str, script: str = "say", **fields: Any) -> dict[str, Any]:
        """Three containers: an image that knows nothing of us, between `fetch` and `publish`."""
        prelude = _BUSYBOX % (self._lines.address, self._lines.address)
        command = ["sh", "-c", prelude + script]
        return {"name": name, "container": {"image": image("busybox"), "command": command}, **fields}

    def of(self, kind: str, name: str, script: str = "say", **fields: Any) -> dict[str, Any]:
        return (self.light if kind == "light" else self.plain)(name, script, **fields)


def once(*steps: str) -> dict[str, int]:
    """What is said when every step ran once, in its first attempt."""
    return {f"{step} 0": 1 for step in steps}


def run_of(status: dict[str, Any]) -> dict[str, tuple[str, int, int]]:
    """Each step's phase, its attempts, and those of them that count as its own failures."""
    return {step["name"]: (step["phase"], step.get("attempts", 0), step.get("failures", 0)) for step in status["steps"]}


def wait_steps(cluster: Cluster, namespace: str, phase: str, *names: str, timeout: float = 60) -> None:
    """Return once these steps are in a phase."""

    def there() -> bool:
        status = cluster.workflow(namespace, "w").get("status", {})
        phases = {step["name"]: step["phase"] for step in status.get("steps", [])}
        return all(phases.get(name) == phase for name in names)

    wait_for(there, timeout, lambda: f"{cluster.workflow(namespace, 'w').get('status')}\n{cluster.operator_log()}")


def seconds_since(started: float) -> float:
    return time.monotonic() - started

"""Whose doing the end of a Pod was: a table of what kubelets say, in their own words."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.kube.losses import is_lost

EMPTY_DIR = 'Usage of EmptyDir volume "scratch" exceeds the limit "2Mi". '
WHOLE_POD = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "
CONTAINER = 'Container step exceeded its local ephemeral storage limit "1Gi". '
PRESSURE = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. "
CANCELED = "failed to create containerd task: failed to create shim task: context canceled"
NO_PROGRAM = 'exec: "no-such-program": executable file not found in $PATH'


def failed(reason: str = "", message: str = "", *conditions: str) -> dict[str, Any]:
    return {
        "phase": "Failed",
        **({"reason": reason, "message": message} if reason else {}),
        "conditions": [{"type": kind, "status": "True"} for kind in conditions],
    }


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"exitCode": code, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("status", "ends", "lost"),
    [
        (failed("Evicted", PRESSURE, "DisruptionTarget"), {"step": ended(137)}, True),
        (failed("Evicted", PRESSURE), {"step": ended(137)}, True),
        (failed("Evicted", EMPTY_DIR), {"step": ended(143)}, False),
        (failed("Evicted", WHOLE_POD), {}, False),
        (failed("Evicted", CONTAINER), {"step": ended(137)}, False),
        (failed("", "", "DisruptionTarget"), {"step": ended(1)}, True),
        (failed("NodeShutdown", "Pod was terminated in response to imminent node shutdown."), {}, True),
        (failed("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"), {}, False),
        (failed(), {"step": ended(1)}, False),
        (failed(), {"step": ended(137, "OOMKilled")}, False),
        (failed(), {"step": ended(128, "StartError", NO_PROGRAM)}, False),
        (failed(), {"step": ended(128, "StartError", CANCELED)}, True),
        (failed(), {"step": ended(137, "ContainerStatusUnknown", "could not be located")}, True),
        (failed(), {"publish": ended(128, "StartError", CANCELED)}, True),
        (failed(), {"fetch": ended(128, "StartError", "no space left on device")}, True),
        (failed(), {"step": ended(0, "Completed"), "publish": ended(137, "ContainerStatusUnknown")}, True),
        (failed(), {"step": ended(3), "publish": ended(128, "StartError", CANCELED)}, False),
        (failed(), {"fetch": ended(1)}, False),
        (failed(), {}, False),
    ],
    ids=[
        "node pressure", "node pressure of an old kubelet", "volume over its limit", "Pod over its limit", "container over its limit",
        "drained", "node shut down", "over its deadline", "own error", "own memory", "no such program", "start interrupted", "out of sight",
        "publish never started", "fetch never started", "publish out of sight", "own error and an interrupted publish", "fetch failed", "nothing",
    ],
)  # fmt: skip
def test_whose_doing_an_end_was(status: dict[str, Any], ends: dict[str, dict[str, Any]], lost: bool) -> None:
    assert is_lost(status, ends) is lost

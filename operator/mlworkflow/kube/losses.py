"""Whose doing the end of a Pod was: the infrastructure's, which costs a step none of its retries, or the step's own.

An eviction is the infrastructure's, unless the Pod went over a limit of its own: the next attempt would do the same. A container that was
never started, or that the kubelet lost sight of, tells of the node; unless it is the step's own, whose command may be what cannot be started.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlworkflow.core.pods import MAIN
from mlworkflow.kube.objects import Json

LOST = frozenset(
    {
        "Evicted",
        "Preempted",
        "Preempting",
        "NodeLost",
        "NodeShutdown",
        "Shutdown",
        "Terminated",
        "NodeAffinity",
        "UnexpectedAdmissionError",
    }
)
"""`status.reason` of Pods that the infrastructure ended."""

_OWN_LIMIT = re.compile(r"exceeds the (total )?limit|exceeded its local ephemeral storage limit")
_NEVER_STARTED = frozenset({"StartError", "ContainerCannotRun"})
_INTERRUPTED = re.compile(r"context (canceled|deadline exceeded)")


def is_lost(status: Json, ends: Mapping[str, Json]) -> bool:
    """Whether the infrastructure ended a Pod that has ended; `ends` are the terminated states of its containers by name, ours only."""
    if _is_disrupted(status):
        return True
    if reason := status.get("reason"):
        return reason in LOST and not _OWN_LIMIT.search(status.get("message") or "")
    broken = [name for name, end in ends.items() if end["exitCode"] != 0]
    return bool(broken) and all(_is_by_node(name, ends[name]) for name in broken)


def _is_by_node(container: str, end: Json) -> bool:
    match end.get("reason"):
        case "ContainerStatusUnknown":
            return True
        case reason if reason in _NEVER_STARTED:
            return container != MAIN or bool(_INTERRUPTED.search(end.get("message") or ""))
    return False


def _is_disrupted(status: Json) -> bool:
    return any(
        condition["type"] == "DisruptionTarget" and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )

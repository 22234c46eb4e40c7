"""What is kept of a Pod: which attempt it is, and where that stands. A small value that changes only when something of interest did."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlworkflow.core import names
from mlworkflow.core.observation import Attempt, Seen
from mlworkflow.core.pods import FETCH, MAIN, PUBLISH
from mlworkflow.engine.driver import ContainerEnd
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

CANNOT_START = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
"""Reasons of a waiting container that will not start by itself soon."""


@dataclass(frozen=True, slots=True)
class PodView:
    """`workflow` is the uid of the workflow; `end` is how the step's own container ended, which may be before the Pod's end."""

    name: str
    namespace: str
    uid: str
    workflow: str
    attempt: Attempt
    end: ContainerEnd | None


def pod_view(pod: Json) -> PodView | None:
    """The view of a Pod, or None for a Pod that is no attempt of ours."""
    metadata = pod["metadata"]
    annotations = metadata.get("annotations") or {}
    owner = annotations.get(names.ANNOTATION_UID, "")
    task, number = annotations.get(names.ANNOTATION_TASK, ""), annotations.get(names.ANNOTATION_ATTEMPT, "")
    workflow = next(
        (reference["name"] for reference in metadata.get("ownerReferences") or [] if reference["uid"] == owner), None
    )
    if workflow is None or not number.isdecimal():
        return None
    if metadata["name"] != names.pod_name(workflow, owner, task, int(number)):
        return None  # somebody's copy: whatever happens to it is not the attempt's doing
    status = pod.get("status") or {}
    containers = {
        state["name"]: state
        for key in ("initContainerStatuses", "containerStatuses")
        for state in status.get(key) or []
    }
    seen, reason, message = _standing(status, containers)
    is_leaving = "deletionTimestamp" in metadata
    exit_code = _exit_code(containers) if seen is Seen.ENDED else None
    attempt = Attempt(
        task=task,
        number=int(number),
        handle=metadata["name"],
        seen=seen,
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]).timestamp(),
        exit_code=0 if status.get("phase") == "Succeeded" else exit_code,
        reason=reason,
        message=message,
        lost=seen is Seen.ENDED and (reason in LOST or is_leaving or _is_disrupted(status)),
        leaving=is_leaving,
    )
    return PodView(metadata["name"], metadata["namespace"], metadata["uid"], owner, attempt, _main_end(containers))


def _standing(status: Json, containers: dict[str, Any]) -> tuple[Seen, str, str]:
    """Waiting, running or ended, and why."""
    match status.get("phase"):
        case "Succeeded":
            return Seen.ENDED, "", ""
        case "Failed":
            return Seen.ENDED, *_end_reason(status, containers)
    stuck = [
        state["state"]["waiting"]
        for state in containers.values()
        if (state.get("state") or {}).get("waiting", {}).get("reason") in CANNOT_START
    ]
    if stuck:
        return Seen.WAITING, stuck[0]["reason"], stuck[0].get("message", "")
    if any({"running", "terminated"} & (state.get("state") or {}).keys() for state in containers.values()):
        return Seen.RUNNING, "", ""
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Seen.WAITING, condition.get("reason", "Unschedulable"), condition.get("message", "")
    return Seen.WAITING, "", ""


def _end_reason(status: Json, containers: dict[str, Any]) -> tuple[str, str]:
    if reason := status.get("reason"):
        return reason, status.get("message", "")
    for name in (MAIN, FETCH, PUBLISH):
        ended = _terminated(containers, name)
        if ended and ended["exitCode"] != 0:
            where = "" if name == MAIN else f"{name}: "
            text = ended.get("message", "").strip()
            return ended.get("reason", "Error"), f"{where}exit code {ended['exitCode']}{': ' + text if text else ''}"
    return "Error", ""


def _exit_code(containers: dict[str, Any]) -> int | None:
    codes = [ended["exitCode"] for name in (MAIN, FETCH, PUBLISH) if (ended := _terminated(containers, name))]
    return next((code for code in codes if code), codes[0] if codes else None)


def _main_end(containers: dict[str, Any]) -> ContainerEnd | None:
    ended = _terminated(containers, MAIN)
    return ContainerEnd(ended["exitCode"], ended.get("reason", ""), ended.get("message", "").strip()) if ended else None


def _terminated(containers: dict[str, Any], name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = (containers.get(name, {}).get("state") or {}).get("terminated")
    return found


def _is_disrupted(status: Json) -> bool:
    return any(
        condition["type"] == "DisruptionTarget" and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )

"""What is kept of a Pod: which attempt it is, and where that stands. A small value that changes only when something of interest did.

Admission may have put containers of others into a Pod, some of which never end. What an attempt does is told by its own containers:
FETCH, MAIN and PUBLISH, where the Pod has them. No time that the server stamped is read, for its clock need not agree with ours.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlworkflow.core import names, riders
from mlworkflow.core.observation import Attempt, Seen
from mlworkflow.core.pods import FETCH, MAIN, PUBLISH
from mlworkflow.core.riders import Rider
from mlworkflow.engine.driver import ContainerEnd
from mlworkflow.kube.losses import is_lost
from mlworkflow.kube.objects import Json

OWN = (MAIN, FETCH, PUBLISH)
FINAL = ("Succeeded", "Failed")

CANNOT_START = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
    }
)
"""Reasons of a waiting container that will not start by itself soon."""


@dataclass(frozen=True, slots=True)
class PodView:
    """`workflow` is the uid of the workflow; `end` is how the step's own container ended, which may be before the Pod's end.

    `image` is that of the step's own container, `image_digest` what the kubelet says that this was: a digest, once it is known. `riders` are the
    attempts of a Pod that trials share; `attempt` is the Pod's own, by which it is named.
    """

    name: str
    namespace: str
    uid: str
    workflow: str
    attempt: Attempt
    end: ContainerEnd | None
    image: str = ""
    image_digest: str = ""
    riders: tuple[Attempt, ...] = ()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All that run in it."""
        return self.riders or (self.attempt,)


def pod_view(pod: Json, now: float = 0.0, known: PodView | None = None) -> PodView | None:
    """The view of a Pod, or None for a Pod that is no attempt of ours. `known` is the view we had of it until `now`, by our clock."""
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
    lingering = status.get("phase") not in FINAL and _is_outlived(pod.get("spec") or {}, containers)
    seen, reason, message = _standing(status, containers, lingering, pod.get("spec") or {})
    is_leaving = "deletionTimestamp" in metadata
    earlier = known.attempt if known and known.uid == metadata["uid"] else None
    running_since = earlier.running_since if earlier else None
    if running_since is None and "running" in _state(containers, MAIN):
        running_since = now
    waited = earlier.waiting_since if earlier and earlier.seen is Seen.WAITING else now
    exit_code = _exit_code(containers) if seen is Seen.ENDED else None
    attempt = Attempt(
        task=task,
        number=int(number),
        handle=metadata["name"],
        seen=seen,
        created_at=earlier.created_at if earlier else now,
        exit_code=0 if status.get("phase") == "Succeeded" else exit_code,
        reason=reason,
        message=message,
        lost=seen is Seen.ENDED and (is_leaving or is_lost(status, _own_ends(containers))),
        leaving=is_leaving,
        lingering=lingering,
        running_since=running_since,
        waiting_since=waited if seen is Seen.WAITING else None,
        failures=_count(annotations, names.ANNOTATION_FAILURES),
        losses=_count(annotations, names.ANNOTATION_LOSSES),
        fingerprint=annotations.get(names.ANNOTATION_FINGERPRINT, ""),
    )
    end, listed = _main_end(containers), annotations.get(names.ANNOTATION_RIDERS)
    return PodView(
        metadata["name"],
        metadata["namespace"],
        metadata["uid"],
        owner,
        attempt,
        end,
        *_image(pod, containers),
        _riders(attempt, riders.read(listed), end.message if end else "") if listed else (),
    )


def _riders(attempt: Attempt, listed: Sequence[Rider], said: str) -> tuple[Attempt, ...]:
    """The attempts of a Pod that trials share. Of one that ended by itself before all had their turn, that is the doing of the one that ran, which is what
    the container `said` last; those after it never ran."""
    aboard = tuple((rider.task, rider.attempt) for rider in listed)
    last = next((index for index, rider in enumerate(listed) if rider.name == said), 0)
    is_broken = attempt.seen is Seen.ENDED and not attempt.lost and attempt.exit_code != 0
    message = attempt.message.removesuffix(f": {said}") if said else attempt.message
    late = (
        f"its Pod ended before its turn: {attempt.reason or 'Error'} in {listed[last].name}"
        if is_broken and listed
        else ""
    )

    def of(rider: Rider, is_late: bool) -> Attempt:
        return replace(
            attempt,
            task=rider.task,
            number=rider.attempt,
            failures=rider.failures,
            losses=rider.losses,
            fingerprint=rider.fingerprint,
            aboard=aboard,
            lost=attempt.lost or is_late,
            reason="" if is_late else attempt.reason,
            message=late if is_late else message,
        )

    return tuple(of(rider, is_broken and index > last) for index, rider in enumerate(listed))


def _count(annotations: Json, name: str) -> int:
    text = annotations.get(name, "")
    return int(text) if text.isdecimal() else 0


def _image(pod: Json, containers: Mapping[str, Any]) -> tuple[str, str]:
    """The image of the step's own container and its digest; texts that thousands of Pods share are kept once."""
    named = next(
        (each.get("image", "") for each in (pod.get("spec") or {}).get("containers", []) if each["name"] == MAIN), ""
    )
    said = re.search("sha256:[0-9a-f]{64}", containers.get(MAIN, {}).get("imageID") or "")
    return sys.intern(named), sys.intern(said[0]) if said else ""


def _is_outlived(spec: Json, containers: Mapping[str, Any]) -> bool:
    """Whether all that the attempt had to run in this Pod has ended, and a container of somebody else has not.

    Of init containers and native sidecars the kubelet makes an end itself. And while nothing runs any more it is about to say so, and why: an
    eviction's reason comes with the Pod's last phase.
    """
    regular = [container["name"] for container in spec.get("containers") or []]
    own = [name for name in regular if name in OWN]
    others = [name for name in regular if name not in OWN]
    return all(_terminated(containers, name) for name in own) and not all(
        _terminated(containers, name) for name in others
    )


def _standing(status: Json, containers: Mapping[str, Any], lingering: bool, spec: Json) -> tuple[Seen, str, str]:
    """Waiting, running or ended, and why."""
    if status.get("phase") == "Succeeded":
        return Seen.ENDED, "", ""
    if status.get("phase") == "Failed":
        return Seen.ENDED, *_end_reason(status, containers)
    if lingering:
        return Seen.ENDED, *(_end_reason({}, containers) if _exit_code(containers) else ("", ""))
    if stuck := _stuck(status, containers):
        return Seen.WAITING, stuck["reason"], stuck.get("message", "")
    if {"running", "terminated"} & _state(containers, MAIN).keys() or _is_fetching(containers):
        return Seen.RUNNING, "", ""
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Seen.WAITING, condition.get("reason", "Unschedulable"), condition.get("message", "")
    return Seen.WAITING, "", _being_created(spec, containers)


def _being_created(spec: Json, containers: Mapping[str, Any]) -> str:
    """What the step's own container waits for as far as anybody knows: the kubelet says nothing of a pull until it has failed."""
    if not _state(containers, MAIN).get("waiting"):
        return ""
    image = next((found.get("image") for found in spec.get("containers") or [] if found["name"] == MAIN), None)
    return f"its container is being created, from the image {image}" if image else ""


def _is_fetching(containers: Mapping[str, Any]) -> bool:
    """Whether inputs are on their way, or could not be had; once they are here, the step's own image may still be pulled."""
    ended = _terminated(containers, FETCH)
    return "running" in _state(containers, FETCH) or (ended is not None and ended["exitCode"] != 0)


def _stuck(status: Json, containers: Mapping[str, Any]) -> Json | None:
    """What keeps the attempt from going on: a container of its own that does not start, or an injected one that has to start before."""
    blocking = list(OWN)
    if not {"running", "terminated"} & _state(containers, MAIN).keys():
        blocking += [state["name"] for state in status.get("initContainerStatuses") or []]
    waiting: list[Json] = [_state(containers, name).get("waiting", {}) for name in blocking]
    return next((state for state in waiting if state.get("reason") in CANNOT_START), None)


def _end_reason(status: Json, containers: Mapping[str, Any]) -> tuple[str, str]:
    if reason := status.get("reason"):
        return reason, status.get("message", "")
    if _exit_code(containers) == 0:
        return "", ""  # the Pod failed by a container of somebody else
    for name in (*OWN, *_others(containers)):
        ended = _terminated(containers, name)
        if ended and ended["exitCode"] != 0:
            where = "" if name == MAIN else f"{name}: "
            text = ended.get("message", "").strip()
            return ended.get("reason", "Error"), f"{where}exit code {ended['exitCode']}{': ' + text if text else ''}"
    return "Error", ""


def _exit_code(containers: Mapping[str, Any]) -> int | None:
    """The first that is not zero, our own containers first; zero only where the step's own container has ended so."""
    ended = {name: end["exitCode"] for name in (*OWN, *_others(containers)) if (end := _terminated(containers, name))}
    own = {name: code for name, code in ended.items() if name in OWN}
    if MAIN in own and not any(own.values()):
        return 0
    return next((code for code in ended.values() if code), None)


def _others(containers: Mapping[str, Any]) -> list[str]:
    return [name for name in containers if name not in OWN]


def _main_end(containers: Mapping[str, Any]) -> ContainerEnd | None:
    ended = _terminated(containers, MAIN)
    return ContainerEnd(ended["exitCode"], ended.get("reason", ""), ended.get("message", "").strip()) if ended else None


def _terminated(containers: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _state(containers, name).get("terminated")
    return found


def _state(containers: Mapping[str, Any], name: str) -> Json:
    state: Json | None = containers.get(name, {}).get("state")
    return state or {}


def _own_ends(containers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: ended for name in OWN if (ended := _terminated(containers, name))}

"""What Kubernetes tells of a step."""

from __future__ import annotations

from typing import Annotated

from mlworkflow.ui.answers.base import Answer, Time


class KubeEvent(Answer, frozen=True):
    """An event that Kubernetes tells of a Pod or of the workflow."""

    type: Annotated[str, "Normal or Warning."]
    reason: str
    message: str
    source: Annotated[str, "Who says so: kubelet, scheduler, …"]
    count: int
    first: Time
    last: Time


class EventsAnswer(Answer, frozen=True):
    """What Kubernetes tells of a workflow."""

    events: Annotated[list[KubeEvent], "The newest first; none locally."]


class Container(Answer, frozen=True):
    """A container of a Pod."""

    name: str
    image: str
    state: Annotated[str, "waiting, running or terminated."]
    reason: str
    exit_code: int | None
    restarts: int
    requests: Annotated[dict[str, str], "What it is promised, as written: `cpu`, `memory`, …"]
    limits: Annotated[dict[str, str], "What it may not exceed, as written."]


class Pod(Answer, frozen=True):
    """The Pod of an attempt."""

    name: str
    phase: Annotated[str, "As Kubernetes says; `Gone`: it is deleted."]
    node: str
    containers: list[Container]
    events: list[KubeEvent]
    problem: Annotated[str, "Why it, or its events, cannot be read."] = ""

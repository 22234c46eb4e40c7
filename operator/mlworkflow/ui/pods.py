"""Pods and Kubernetes events as the page shows them. Pure."""

from __future__ import annotations

from typing import Any

from mlworkflow.kube.objects import Json
from mlworkflow.ui.answers import Container, KubeEvent, Pod
from mlworkflow.ui.shown import millis


def pod_of(pod: Json, events: list[KubeEvent], problem: str = "") -> Pod:
    """Init containers come first, as they run."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    said = {
        each["name"]: each
        for field in ("initContainerStatuses", "containerStatuses")
        for each in status.get(field) or []
    }
    written = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return Pod(
        name=pod["metadata"]["name"],
        phase=str(status.get("phase") or "Pending"),
        node=str(spec.get("nodeName") or ""),
        containers=[_container(each, said.get(each["name"], {})) for each in written],
        events=events,
        problem=problem,
    )


def event_of(event: Json) -> KubeEvent:
    """Both forms there are: with a count, and as one of a series."""
    series = event.get("series") or {}
    first = event.get("firstTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
    return KubeEvent(
        type=str(event.get("type") or "Normal"),
        reason=str(event.get("reason") or ""),
        message=str(event.get("message") or ""),
        source=str((event.get("source") or {}).get("component") or event.get("reportingComponent") or ""),
        count=int(series.get("count") or event.get("count") or 1),
        first=millis(first),
        last=millis(series.get("lastObservedTime") or event.get("lastTimestamp") or first),
    )


def _container(written: Json, said: Json) -> Container:
    state: dict[str, Any] = said.get("state") or {}
    name = next(iter(state), "waiting")
    about = state.get(name) or {}
    resources = said.get("resources") or written.get("resources") or {}
    return Container(
        name=written["name"],
        image=str(said.get("image") or written.get("image") or ""),
        state=name,
        reason=str(about.get("reason") or ""),
        exit_code=about.get("exitCode"),
        restarts=int(said.get("restartCount") or 0),
        requests={name: str(value) for name, value in (resources.get("requests") or {}).items()},
        limits={name: str(value) for name, value in (resources.get("limits") or {}).items()},
    )

"""The Pods of workflows as they are now: why they do not run yet, and what they use where the cluster measures that."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mlworkflow.core.errors import SpecError
from mlworkflow.core.names import FIELD_MANAGER, LABEL_MANAGED_BY, pod_name
from mlworkflow.core.observation import Seen
from mlworkflow.core.plan import Plan
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import ApiError
from mlworkflow.kube.paths import PODS, Resource
from mlworkflow.kube.podview import pod_view
from mlworkflow.kube.quantity import quantity
from mlworkflow.runs.run import PodNow, Run

_UNKNOWN = (None, None)
_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods")


def carrier(run: Run, task: str, attempt: int) -> tuple[str, bool]:
    """The name of an attempt's Pod, and whether it may be that of other trials too."""
    known, is_shared = run.known.get(task, {}), _may_share(run, task)
    if is_shared and known.get("attempts") == attempt + 1 and known.get("pod"):
        return str(known["pod"]), is_shared
    return pod_name(str(run.resource["metadata"]["name"]), run.uid, task, attempt), is_shared


def _may_share(run: Run, task: str) -> bool:
    if not task.rpartition("/")[2].isdecimal():  # no trial: for the rest the whole workflow has to be understood
        return False
    try:
        node = Plan.of(run.resource).nodes.get(task)
    except SpecError:
        return False
    return node is not None and node.may_share


async def pods_now(client: KubeClient, namespace: str | None) -> Mapping[str, PodNow]:
    """By name; of all namespaces where none is given. Empty for those who may not look at Pods."""
    query = {"labelSelector": f"{LABEL_MANAGED_BY}={FIELD_MANAGER}"}
    found: list[Mapping[str, Any]] = []
    usage: dict[str, tuple[float, float]] = {}
    with suppress(ApiError):
        async for page in client.pages(PODS.path(namespace), query):
            found += page["items"]
        for one in (await client.list(_METRICS.path(namespace), query))["items"]:
            used = [container["usage"] for container in one.get("containers") or []]
            usage[one["metadata"]["name"]] = (
                sum(quantity(each.get("cpu", "0")) for each in used),
                sum(quantity(each.get("memory", "0")) for each in used),
            )
    return {pod["metadata"]["name"]: _now(pod, *usage.get(pod["metadata"]["name"], _UNKNOWN)) for pod in found}


def _now(pod: Mapping[str, Any], cpu: float | None, memory: float | None) -> PodNow:
    name, node = str(pod["metadata"]["name"]), str((pod.get("spec") or {}).get("nodeName") or "")
    view = pod_view(dict(pod))
    waits = ""
    if view and view.attempt.seen is Seen.WAITING:
        waits = ": ".join(word for word in (view.attempt.reason, view.attempt.message) if word) or "it is being started"
    return PodNow(name, node, waits, cpu, memory)

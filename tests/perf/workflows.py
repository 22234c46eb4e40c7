"""The workflows that are measured, and how long one takes from its creation to its end."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.paths import MLWORKFLOWS
from node.api import kwok

Json = dict[str, Any]
_numbers = itertools.count(1)
SIMULATED: Json = {**kwok.POD_SPEC, "annotations": {kwok.RUN_FOR: "24h"}}
"""The fields of a step that runs on a simulated node until somebody ends it."""
NOTHING: Json = {"image": "mlworkflow/steps:perf", "agent": True, "command": ["true"]}
"""The container of a step that does nothing."""


def layers(widths: Sequence[int], common: Json, container: Json = NOTHING) -> list[Json]:
    """So many steps at once, after all of the layer before; a layer of several is a fan-out."""
    steps: list[Json] = []
    for number, width in enumerate(widths):
        after = {"after": [steps[-1]["name"]]} if steps else {}
        fan = {"forEach": {"range": width}} if width > 1 else {}
        steps.append({"name": f"s{number}", "container": container, **after, **fan, **common})
    return steps


def workflow(steps: Sequence[Json], **spec: Any) -> Json:
    """A resource under a name of its own."""
    return {
        "apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow",
        "metadata": {"name": f"perf-{next(_numbers)}"}, "spec": {"steps": list(steps), **spec},
    }  # fmt: skip


class Ended(Exception):
    """A workflow came to another end than it should."""


async def run(client: KubeClient, namespace: str, resources: Sequence[Json]) -> float:
    """Seconds from the creation of the first to the end of the last. Raises `Ended`."""
    path, left = MLWORKFLOWS.path(namespace), {resource["metadata"]["name"] for resource in resources}
    version = (await client.list(path, {"limit": 1}))["metadata"]["resourceVersion"]
    began = time.perf_counter()
    creating = asyncio.gather(*(client.create(path, resource) for resource in resources))
    while left:  # a watch may end at any time
        async with aclosing(client.watch(path, {"resourceVersion": version})) as events:
            async for event in events:
                version = event.object["metadata"]["resourceVersion"]
                if event.type in ("ADDED", "MODIFIED") and _has_succeeded(event.object):
                    left.discard(event.object["metadata"]["name"])
                    if not left:
                        break
    took = time.perf_counter() - began
    await creating
    return took


def _has_succeeded(resource: Json) -> bool:
    """Raises Ended where it came to another end."""
    status = resource.get("status", {})
    if status.get("phase") in ("Failed", "Cancelled"):
        raise Ended(f"{status['phase']}: {status.get('message')}")
    return bool(status.get("phase") == "Succeeded")


async def delete_all(client: KubeClient, namespace: str) -> None:
    """Deletes every workflow, and waits until there is none."""
    path = MLWORKFLOWS.path(namespace)
    while (await client.list(path, {"limit": 1}))["items"]:
        await client.request("DELETE", path, params={"propagationPolicy": "Background"})
        await asyncio.sleep(0.2)

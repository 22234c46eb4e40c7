"""Bare Pods: what a cluster takes with no workflow engine at all. One asyncio client creates them, one watch sees them end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from copy import deepcopy
from typing import Any

from mlworkflow.core.names import LABEL_MANAGED_BY
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import Unavailable
from mlworkflow.kube.paths import PODS, Resource
from mlworkflow.kube.reflector import Reflector

Json = dict[str, Any]
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")


class Watched:
    """The Pods of a namespace as the operator's own reflector tells of them; whoever `hears` is called for every change."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client, self.namespace = client, namespace
        self.phases: dict[str, str] = {}
        self.hears: list[Callable[[Json, bool], None]] = []
        self._changed = asyncio.Event()
        self._reflector: Reflector[Json] = Reflector(
            client, PODS.path(namespace), project=lambda pod: pod, on_change=self._hear
        )

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[Watched]:
        """For as long as this lasts."""
        task = asyncio.create_task(self._reflector.run())
        try:
            await self._reflector.synced.wait()
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _hear(self, key: str, old: Json | None, new: Json | None) -> None:
        pod = new or old
        assert pod is not None
        if new is None:
            self.phases.pop(pod["metadata"]["name"], None)
        else:
            self.phases[pod["metadata"]["name"]] = pod.get("status", {}).get("phase", "")
        for hear in self.hears:
            hear(pod, new is None)
        self._changed.set()

    async def until(self, is_so: Callable[[dict[str, str]], bool]) -> None:
        """Returns once `is_so` of the phases by name."""
        while not is_so(self.phases):
            self._changed.clear()
            await self._changed.wait()

    async def cleared(self) -> None:
        """Deletes every Pod, and waits until they are gone."""
        # Of ten thousand the server deletes on when nobody waits for its answer any more.
        with contextlib.suppress(Unavailable):
            await self._client.request("DELETE", PODS.path(self.namespace), params={"gracePeriodSeconds": 0})
        await self.until(lambda phases: not phases)


class Ends:
    """Waits for the ends of single Pods, without looking at all of them at each event."""

    def __init__(self, watched: Watched) -> None:
        self._waits: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        watched.hears.append(self._hear)

    def _hear(self, pod: Json, is_gone: bool) -> None:
        if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            self._waits[pod["metadata"]["name"]].set()

    async def of(self, name: str) -> None:
        """Returns once it has ended."""
        await self._waits[name].wait()


def like(pod: Json, name: str, owner: Json) -> Json:
    """The same Pod under another name, and somebody else's: with as many labels, which no operator looks for, and an owner."""
    made = deepcopy({"apiVersion": "v1", "kind": "Pod", "spec": pod["spec"]})
    made["spec"].pop("nodeName", None)
    labels = {key.replace("mlworkflow.io", "bare.example"): value for key, value in pod["metadata"]["labels"].items()}
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": True, "blockOwnerDeletion": False}  # fmt: skip
    made["metadata"] = {
        "name": name,
        "labels": {**labels, LABEL_MANAGED_BY: "nobody"},
        "annotations": dict(pod["metadata"]["annotations"]),
        "ownerReferences": [{**reference, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}],
    }
    return made


async def run_layers(client: KubeClient, watched: Watched, pod: Json, layers: Sequence[int]) -> float:
    """Seconds for layers of so many Pods, each of which is created once the one before has ended; they are gone afterwards."""
    owner = await _owner(client, watched.namespace)
    ends, path, began = Ends(watched), PODS.path(watched.namespace), time.perf_counter()

    async def run(name: str) -> None:
        await client.create(path, like(pod, name, owner))
        await ends.of(name)

    for number, width in enumerate(layers):
        await asyncio.gather(*(run(f"bare-{number}-{index}") for index in range(width)))
    took = time.perf_counter() - began
    await watched.cleared()
    return took


async def run_chains(client: KubeClient, watched: Watched, pod: Json, count: int, length: int) -> float:
    """Seconds for so many chains at once; they are gone afterwards."""
    owner = await _owner(client, watched.namespace)
    ends, path, began = Ends(watched), PODS.path(watched.namespace), time.perf_counter()

    async def run(chain: int) -> None:
        for number in range(length):
            await client.create(path, like(pod, f"bare-{chain}-{number}", owner))
            await ends.of(f"bare-{chain}-{number}")

    await asyncio.gather(*(run(chain) for chain in range(count)))
    took = time.perf_counter() - began
    await watched.cleared()
    return took


async def _owner(client: KubeClient, namespace: str) -> Json:
    """Something that is there for as long as the namespace is: as a workflow owns its Pods, it does the bare ones."""
    return await client.get(SERVICE_ACCOUNTS.path(namespace, "default"))

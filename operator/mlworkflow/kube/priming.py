"""Has every workflow that existed when the operator started been looked at once?

What counts over all workflows of a namespace (locks, parallelism) cannot be known before that. A list of our own says which they were;
their events still come from kopf alone, so that nothing is held that has been deleted meanwhile. Whom kopf does not bring is asked for
until it has brought it, or it is gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from mlworkflow.core.state import Phase
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import ApiError, NotFound
from mlworkflow.kube.objects import Json
from mlworkflow.kube.paths import MLWORKFLOWS

_log = logging.getLogger(__name__)
PAGE = 100
AGAIN = Backoff(base=1.0, cap=30.0)

Sleep = Callable[[float], Awaitable[None]]


class Priming:
    """`seen(uid)` says that a workflow has been reconciled, or is gone; `primed` is set when that holds for all that `run` has listed."""

    def __init__(
        self,
        client: KubeClient,
        is_known: Callable[[str], bool],
        is_ours: Callable[[Json], bool] = lambda resource: True,
        on_primed: Callable[[], None] = lambda: None,
    ) -> None:
        """`is_known(uid)`: kopf has brought it, and its turn will come, if it `is_ours`."""
        self._is_ours, self._on_primed = is_ours, on_primed
        self._asked = asyncio.Event()
        self._client = client
        self._is_known = is_known
        self._awaited: dict[str, str] = {}  # uid → its path
        self._done: set[str] = set()  # before the list was complete
        self._is_listed = False
        self.primed = asyncio.Event()

    def seen(self, uid: str) -> None:
        if not self.primed.is_set():
            self._done.add(uid)
            self._awaited.pop(uid, None)
            self._conclude()

    def again(self) -> None:
        """Workflows of others have become ours: whether all are seen has to be found out anew."""
        self.primed.clear()
        self._awaited.clear()
        self._done.clear()
        self._is_listed = False
        self._asked.set()

    async def keep(self, namespaces: Sequence[str], sleep: Sleep) -> None:
        """`run` each time that it is asked for `again`, which ends the one before."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            async with asyncio.TaskGroup() as group:
                running = group.create_task(self.run(namespaces, sleep))
                asked = group.create_task(self._asked.wait())
                await asyncio.wait([running, asked], return_when=asyncio.FIRST_COMPLETED)
                running.cancel()
                asked.cancel()

    async def run(self, namespaces: Sequence[str], sleep: Sleep) -> None:
        """List what there is in each of the namespaces (none: in all), then see to it that all of it is seen."""
        for namespace in namespaces or [""]:
            await self._patiently(partial(self._list, namespace), sleep)
        self._is_listed = True
        self._conclude()
        failures = 0
        while not self.primed.is_set():
            failures += 1
            await sleep(AGAIN.delay(failures))
            for uid, path in list(self._awaited.items()):
                if not self._is_known(uid):
                    await self._patiently(partial(self._look, uid, path), sleep)

    async def _list(self, namespace: str) -> None:
        async for page in self._client.pages(MLWORKFLOWS.path(namespace or None), chunk=PAGE):
            for resource in page["items"]:
                metadata = resource["metadata"]
                if metadata["uid"] not in self._done and not _is_settled(resource) and self._is_ours(resource):
                    self._awaited[metadata["uid"]] = MLWORKFLOWS.path(metadata["namespace"], metadata["name"])

    async def _look(self, uid: str, path: str) -> None:
        """Whether a workflow that has not been seen is still there."""
        if uid not in self._awaited:
            return
        try:
            found = await self._client.get(path)
        except NotFound:
            self.seen(uid)
        else:
            if found["metadata"]["uid"] != uid or "deletionTimestamp" in found["metadata"]:
                self.seen(uid)

    async def _patiently(self, ask: Callable[[], Awaitable[None]], sleep: Sleep) -> None:
        failures = 0
        while True:
            try:
                return await ask()
            except ApiError as error:  # Gone among them: a list that took too long begins anew
                failures += 1
                delay = AGAIN.delay(failures)
                _log.warning("workflows cannot be listed: %s; trying again in %.1f s", error, delay)
                await sleep(delay)

    def _conclude(self) -> None:
        if self._is_listed and not self._awaited and not self.primed.is_set():
            self.primed.set()
            self._on_primed()
            self._done.clear()


def _is_settled(resource: Json) -> bool:
    """Whether a workflow asks for nothing any more: finished, or on its way out."""
    phase = (resource.get("status") or {}).get("phase") or Phase.PENDING
    return Phase(phase).is_finished or "deletionTimestamp" in resource["metadata"]

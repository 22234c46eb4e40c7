"""The operator's garbage collection: now and then, one namespace after the other, in a thread, never two at once.

Which workflows exist is asked of the API server before the store is looked at; without that answer nothing is removed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import ApiError, Conflict
from mlworkflow.kube.paths import MLWORKFLOWS
from mlworkflow.kube.retention import is_finished
from mlworkflow.store import archive
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import StoreError
from mlworkflow.store.garbage import Known, Report, Retention, collect, namespaces

FIRST = 600.0
"""Seconds after the start of the operator: it has more urgent things to do then."""
PAGE = 100
_log = logging.getLogger("mlworkflow.garbage")


class GarbageCollector:
    """`watched` are the operator's namespaces; none means all that have anything in the store. `is_ours()`: of several operators, this one does it."""

    def __init__(
        self,
        client: KubeClient,
        store: ArtifactStore,
        watched: Sequence[str],
        retention: Retention,
        is_ours: Callable[[], bool] = lambda: True,
    ) -> None:
        self._is_ours = is_ours
        self._client = client
        self._store = store
        self._watched = watched
        self._retention = retention
        self._lock = asyncio.Lock()
        self._is_over = threading.Event()

    async def run(
        self, interval: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, first: float = FIRST
    ) -> None:
        """Collect until cancelled. What goes wrong is logged, and tried again the next time."""
        try:
            await sleep(min(first, interval))
            while True:
                await self.collect_all()
                await sleep(interval)
        finally:
            self._is_over.set()

    async def collect_all(self) -> None:
        try:
            found = self._watched or await asyncio.to_thread(namespaces, self._store)
        except StoreError as error:
            _log.warning("garbage cannot be looked for: %s", error)
            return
        for namespace in found:
            if not self._is_ours():
                return
            try:
                await self.collect(namespace)
            except (StoreError, ApiError) as error:
                _log.warning("garbage namespace=%s is not collected now: %s", namespace, error)

    async def collect(self, namespace: str, *, dry_run: bool = False) -> Report:
        """Collect the garbage of a namespace, or say what it is. Raises ApiError, StoreError."""
        async with self._lock:
            known = await self._known(namespace)
            report = await asyncio.to_thread(self._collect, namespace, known, dry_run)
        if not dry_run:
            _log.info("garbage namespace=%s removed=%d bytes=%d records=%d kept=%d",
                      namespace, report.objects, report.bytes, report.records, report.kept_objects)  # fmt: skip
        return report

    async def purge(self, namespace: str, uid: str) -> int:
        """Remove what is kept of a run whose workflow is gone; how many documents that were. Raises Conflict while it is there, ApiError, StoreError."""
        async with self._lock:
            if uid in (await self._known(namespace)).existing:
                raise Conflict(409, "Conflict", "its workflow exists: delete that first")
            count = await asyncio.to_thread(archive.purge, self._store, namespace, uid)
        _log.info("purged namespace=%s uid=%s records=%d", namespace, uid, count)
        return count

    def _collect(self, namespace: str, known: Known, dry_run: bool) -> Report:
        return collect(
            self._store, namespace, known, self._retention, dry_run=dry_run, is_stopped=self._is_stopped(dry_run)
        )

    def _is_stopped(self, dry_run: bool) -> Callable[[], bool]:
        """Looking is for everybody."""
        return lambda: self._is_over.is_set() or not (dry_run or self._is_ours())

    async def _known(self, namespace: str) -> Known:
        uids: dict[bool, set[str]] = defaultdict(set)
        async for page in self._client.pages(MLWORKFLOWS.path(namespace), chunk=PAGE):
            for resource in page["items"]:
                uids[is_finished(resource.get("status") or {})].add(resource["metadata"]["uid"])
        return Known(uids[True] | uids[False], uids[False])

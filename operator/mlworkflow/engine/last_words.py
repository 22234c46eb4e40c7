"""The logs of attempts that are on their way out before they have said how they ended: stopped, timed out, deleted by somebody.

When such a Pod is gone its log is gone with it, and whoever would have kept it (the agent in it, or the operator once its container has ended)
may not get to that. So its log is followed from the moment that its end is asked for, and kept unless it was kept meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from mlworkflow.core.subject import Subject
from mlworkflow.engine import records
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import StoreError
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import read_log

_log = logging.getLogger(__name__)
AT_ONCE = 64
"""Logs that are followed at the same time: of a thousand Pods that are cancelled together, the others keep theirs only if they can do so themselves."""
LONGEST = 3600.0
"""Seconds that an end may take."""
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0)
"""Seconds between tries to store a log."""


class LastWords:
    """`follow(key, handle)` returns the log of an attempt's container, bounded, once that has ended; empty where there is none. Close it in the end."""

    def __init__(
        self,
        store: ArtifactStore,
        follow: Callable[[AttemptKey, str], Awaitable[bytes]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._follow, self._sleep = store, follow, sleep
        self._tasks: dict[AttemptKey, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def hear(self, key: AttemptKey, handle: str) -> None:
        """The end of an attempt has been asked for."""
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(self._hear(key, handle), name=f"last words {key.uid}")
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    @property
    def is_idle(self) -> bool:
        return not self._tasks

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, key: AttemptKey, handle: str) -> None:
        try:
            async with self._slots, asyncio.timeout(LONGEST):
                words = await self._follow(key, handle)
            if words:
                await self._keep(key, words)
        except TimeoutError:
            _log.warning("%s: its log did not end within an hour, and is not kept", _about(key))
        except Exception:
            _log.exception("%s: its log is not kept: a bug", _about(key))

    async def _keep(self, key: AttemptKey, words: bytes) -> None:
        for wait in (*WAITS, None):
            try:
                if not await self._is_kept(key):
                    await records.keep_log(self._store, key, await records.put(self._store, key.namespace, words))
                return
            except StoreError as error:
                if wait is None:
                    _log.warning("%s: its log is not kept: %s", _about(key), error)
                    return
                await self._sleep(wait)

    async def _is_kept(self, key: AttemptKey) -> bool:
        try:
            record = await records.read(self._store, key)
        except msgspec.DecodeError:
            record = None
        if record and record.logs:
            return True
        return await asyncio.to_thread(read_log, self._store, key) is not None


def _about(key: AttemptKey) -> Subject:
    return Subject(key.namespace, "", key.uid, key.task)

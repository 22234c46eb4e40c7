"""The reflector: a small, fresh copy of a collection of the API server.

A list replaces the copy, then a watch keeps it fresh. The invariants:

* An object that vanished while we were not looking is noticed by the next list, and reported as deleted.
* Nothing ends `run` but its cancellation. After 410 (Gone) it lists again; after any other trouble it resumes the
  watch, with backoff, and lists again if that does not help.
* The copy of an object never goes back to an older version, whether that comes from a list, an event or `insert`.
* `on_change` is called if and only if the projection of an object has changed.

They rest on resource versions being numbers that grow (KEP-5504). `resource_version` is how far we have seen: every
change up to it is in the copy. So an object that was created at a later version is news, and one at an earlier
version is either here already or deleted again.

Used by the operator for Pods, because kopf's own watches neither notice objects that vanished during a gap nor
survive an error that is not 410.
"""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, Never, Protocol, TypeVar

from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.clock import Clock, LoopClock
from mlworkflow.kube.errors import ApiError, Gone
from mlworkflow.kube.objects import Json, namespaced_name, resource_version
from mlworkflow.kube.streams import WatchEvent
from mlworkflow.kube.transport import Params

logger = logging.getLogger(__name__)

T = TypeVar("T")


RECONNECTS = Backoff(base=0.2, cap=30.0)
FUTILE_WATCHES = 3
"""After so many watches in a row without a sign of life, the version we resume from may be the trouble: list again."""


class Source(Protocol):
    """The part of `KubeClient` that a reflector needs."""

    def pages(self, path: str, params: Params | None = None, *, chunk: int = 500) -> AsyncGenerator[Json, None]: ...

    def watch(
        self, path: str, params: Params | None = None, *, inactivity_timeout: float = 70.0
    ) -> AsyncGenerator[WatchEvent, None]: ...


@dataclass(frozen=True, slots=True)
class ReflectorStatistics:
    """A snapshot; `age` is in seconds, the other fields count since the start."""

    objects: int
    lists: int
    watches: int
    events: int
    failures: int
    age: float


class Reflector(Generic[T]):
    """A copy of the objects at `path`, as their projections by key.

    `project` turns an object into what is kept of it, a value that can be compared, or into None when it is of no
    interest. `on_change(key, old, new)` is called in the event loop with None for what is not there; it must not
    block. A bug in either is logged, and costs that object's change alone. `relist_every` and `inactivity_timeout`
    are in seconds.
    """

    def __init__(
        self,
        client: Source,
        path: str,
        *,
        project: Callable[[Json], T | None],
        on_change: Callable[[str, T | None, T | None], None],
        key: Callable[[Json], str] = namespaced_name,
        params: Params = MappingProxyType({}),
        relist_every: float = 300.0,
        chunk: int = 500,
        inactivity_timeout: float = 70.0,
        backoff: Backoff = RECONNECTS,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._path = path
        self._project = project
        self._on_change = on_change
        self._key = key
        self._params = params
        self._relist_every = relist_every
        self._chunk = chunk
        self._inactivity_timeout = inactivity_timeout
        self._backoff = backoff
        self._clock = clock or LoopClock()

        self._values: dict[str, T] = {}
        self._versions: dict[str, int] = {}  # also of objects whose projection is None
        self.objects: Mapping[str, T] = MappingProxyType(self._values)
        self.resource_version = 0
        self.synced = asyncio.Event()
        self._list_at = -math.inf
        self._alive_at = self._clock.now()
        self._lists = self._watches = self._events = self._failures = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> T | None:
        """The projection of an object, or None if there is no such object."""
        return self._values.get(key)

    def age(self) -> float:
        """Seconds since the last sign of life: a page of a list, an event or a bookmark."""
        return self._clock.now() - self._alive_at

    def statistics(self) -> ReflectorStatistics:
        return ReflectorStatistics(
            len(self._values), self._lists, self._watches, self._events, self._failures, self.age()
        )

    def insert(self, obj: Json) -> None:
        """Take in the answer to our own write, ahead of its event.

        An answer from before what we have already seen brings nothing: the object is here, or it has been deleted
        since.
        """
        if resource_version(obj) > self.resource_version:
            self._observe(obj)

    async def run(self) -> Never:
        """List and watch until cancelled."""
        futile = 0
        while True:
            events = self._events
            try:
                if self._clock.now() >= self._list_at or futile >= FUTILE_WATCHES:
                    await self._list()
                await self._watch()
            except Gone as error:
                self._list_at = -math.inf
                self._log_failure(error)
            except ApiError as error:
                self._log_failure(error)
            except Exception as error:
                self._log_failure(error, trace=True)
            futile = 0 if self._events > events else futile + 1
            if futile:
                await self._clock.sleep(self._backoff.delay(futile))

    async def _list(self) -> None:
        try:
            version, seen = await self._read_pages(self._chunk)
        except Gone:  # we were too slow for the snapshot; one big page cannot be
            version, seen = await self._read_pages(0)
        for key in [key for key, known in self._versions.items() if known <= version and key not in seen]:
            del self._versions[key]
            self._put(key, None)
        self.resource_version = version
        self._list_at = self._clock.now() + self._relist_every
        self._lists += 1
        self.synced.set()

    async def _read_pages(self, chunk: int) -> tuple[int, set[str]]:
        version = 0
        seen: set[str] = set()
        async with aclosing(self._client.pages(self._path, self._params, chunk=chunk)) as pages:
            async for page in pages:
                self._alive_at = self._clock.now()
                version = resource_version(page)
                if version < self.resource_version:
                    self._accept_rewind(version)
                for obj in page["items"]:
                    seen.add(self._observe(obj))
        return version, seen

    async def _watch(self) -> None:
        remaining = max(1, math.ceil(self._list_at - self._clock.now()))
        params = {**self._params, "resourceVersion": str(self.resource_version), "timeoutSeconds": remaining}
        self._watches += 1
        watch = self._client.watch(self._path, params, inactivity_timeout=self._inactivity_timeout)
        async with aclosing(watch) as events:
            async for event in events:
                self._events += 1
                self._alive_at = self._clock.now()
                self._handle(event)
                if self._alive_at >= self._list_at:
                    return

    def _handle(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            self._remove(event.object)
        elif event.type != "BOOKMARK":
            self._observe(event.object)
        self.resource_version = max(self.resource_version, resource_version(event.object))

    def _observe(self, obj: Json) -> str:
        """Take in an object unless we know a version that is as new; returns its key."""
        key, version = self._key(obj), resource_version(obj)
        if version > self._versions.get(key, -1):
            self._versions[key] = version
            try:
                new = self._project(obj)
            except Exception:
                logger.exception("%s %s: a bug in the projection", self._path, key)
            else:
                self._put(key, new)
        return key

    def _remove(self, obj: Json) -> None:
        """Take in a deletion, unless an object of that name has been created since."""
        key = self._key(obj)
        if key in self._versions and resource_version(obj) >= self._versions[key]:
            del self._versions[key]
            self._put(key, None)

    def _put(self, key: str, new: T | None) -> None:
        old = self._values.get(key)
        if new == old:
            return
        if new is None:
            del self._values[key]
        else:
            self._values[key] = new
        try:
            self._on_change(key, old, new)
        except Exception:
            logger.exception("%s %s: a bug in the handling of a change", self._path, key)

    def _accept_rewind(self, version: int) -> None:
        """The server lost part of its history (a restored backup): whatever it says now is newer than what we know."""
        logger.warning("%s: the server went back from version %d to %d", self._path, self.resource_version, version)
        self._versions = dict.fromkeys(self._versions, 0)
        self.resource_version = version

    def _log_failure(self, error: Exception, *, trace: bool = False) -> None:
        self._failures += 1
        logger.warning("%s: the watch was interrupted: %r", self._path, error, exc_info=trace)

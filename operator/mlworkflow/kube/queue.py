"""The work queue: which keys wait for a worker, with the semantics of client-go.

* A key is worked on by one worker at a time.
* A key added while it waits is one piece of work; a key added while it is worked on waits again afterwards. Nothing
  added is lost.
* `add_after` keeps the earliest of the moments that it is given for a key.
* `add_rate_limited` waits longer after each failure of that key, until `forget`; other keys are not concerned.

Fed by the reflector, by kopf's handlers and by the reconciler's own deadlines; emptied by `workers.run_workers`.
Lives in one event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.clock import Clock, LoopClock, Timer

K = TypeVar("K", bound=Hashable)

FAILURES = Backoff(base=0.1, cap=60.0)


class ShutDown(Exception):
    """The queue has been shut down and is empty."""


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """`depth` keys wait for a worker, the oldest since `oldest_age` seconds; `waiting` keys are to be added later; `longest` is for how many seconds a worker has
    been busy with the same key.
    """

    depth: int
    in_flight: int
    waiting: int
    oldest_age: float
    longest: float = 0.0


class WorkQueue(Generic[K]):
    """See the module. After `get`, call `done` with the key, whatever happened. `on_wait` hears how long each key has waited for a worker."""

    def __init__(
        self,
        *,
        backoff: Backoff = FAILURES,
        clock: Clock | None = None,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._on_wait = on_wait
        self._backoff = backoff
        self._clock = clock or LoopClock()
        self._ready: deque[K] = deque()
        self._dirty: dict[K, float] = {}  # key → when it was added, in that order
        self._in_flight: dict[K, float] = {}  # key → since when, in that order
        self._failures: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []  # an entry that `_due` does not confirm is void
        self._pushes = 0
        self._timer: Timer | None = None
        self._getters: deque[asyncio.Future[None]] = deque()
        self._is_shut_down = False

    def add(self, key: K) -> None:
        """Have `key` worked on as soon as possible."""
        if self._is_shut_down or key in self._dirty:
            return
        self._dirty[key] = self._clock.now()
        if key not in self._in_flight:
            self._make_ready(key)

    def add_after(self, key: K, delay: float) -> None:
        """Add `key` in `delay` seconds, unless that is to happen earlier anyway."""
        if delay <= 0:
            self.add(key)
            return
        due = self._clock.now() + delay
        if self._is_shut_down or self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        self._pushes += 1
        heappush(self._heap, (due, self._pushes, key))
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapify(self._heap)
        if self._heap[0][2] == key:
            self._set_timer()

    def add_rate_limited(self, key: K) -> float:
        """Add `key` after a delay that grows with its failures; returns the delay in seconds."""
        self._failures[key] = self.failures(key) + 1
        delay = self._backoff.delay(self._failures[key])
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """`key` works again: its next failure is its first."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often `key` has failed in a row."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The key that has waited longest, once there is one. Raises ShutDown."""
        while not self._ready:
            if self._is_shut_down:
                raise ShutDown
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake_one()  # the call was for a worker, not for this one
                raise
        key = self._ready.popleft()
        now = self._clock.now()
        self._on_wait(now - self._dirty.pop(key))
        self._in_flight[key] = now
        return key

    def done(self, key: K) -> None:
        """The work on `key` has ended; if it was added meanwhile, it waits again."""
        self._in_flight.pop(key, None)
        if key in self._dirty:
            self._make_ready(key)

    def shut_down(self) -> None:
        """Take nothing new, forget what is due later; workers finish what waits and then meet ShutDown."""
        self._is_shut_down = True
        self._due.clear()
        self._heap.clear()
        self._set_timer()
        while self._getters:
            self._wake_one()

    def statistics(self) -> QueueStatistics:
        now = self._clock.now()
        oldest, longest = (next(iter(times.values()), now) for times in (self._dirty, self._in_flight))
        return QueueStatistics(
            depth=len(self._dirty),
            in_flight=len(self._in_flight),
            waiting=len(self._due),
            oldest_age=now - oldest,
            longest=now - longest,
        )

    def _make_ready(self, key: K) -> None:
        self._ready.append(key)
        self._wake_one()

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if self._heap:
            self._timer = self._clock.call_later(max(0.0, self._heap[0][0] - self._clock.now()), self._add_due)

    def _add_due(self) -> None:
        now = self._clock.now()
        while self._heap and (self._heap[0][0] <= now or self._due.get(self._heap[0][2]) != self._heap[0][0]):
            due, _, key = heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
        self._set_timer()

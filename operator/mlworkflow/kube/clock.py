"""Time as a parameter.

The client, the reflector and the queue take a `Clock` and never call `time` or `asyncio.sleep` themselves, so that
tests drive them without waiting. Only differences between two readings of `now` mean anything.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A scheduled callback."""

    def cancel(self) -> None:
        """Make the callback never run; harmless if it already has."""


class Clock(Protocol):
    """Monotonic seconds, and two ways to wait for them to pass."""

    def now(self) -> float:
        """Seconds since some fixed moment."""

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` in the event loop after `delay` seconds."""

    async def sleep(self, delay: float) -> None:
        """Return after `delay` seconds."""


class LoopClock:
    """The machine's monotonic clock, and the running event loop's timers. That of the loop stands still while a callback runs, if it is uvloop's."""

    __slots__ = ()

    def now(self) -> float:
        return time.monotonic()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(delay, callback)

    async def sleep(self, delay: float) -> None:
        await asyncio.sleep(delay)

"""A clock that tests move, so that they never wait."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class FakeTimer:
    due: float
    callback: Callable[[], object]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class FakeClock:
    """`sleep` moves the time and returns at once; `slept` are the delays it was asked for."""

    time: float = 1000.0
    slept: list[float] = field(default_factory=list)
    timers: list[FakeTimer] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def call_later(self, delay: float, callback: Callable[[], object]) -> FakeTimer:
        timer = FakeTimer(self.time + delay, callback)
        self.timers.append(timer)
        return timer

    async def sleep(self, delay: float) -> None:
        self.slept.append(delay)
        self.advance(delay)
        await asyncio.sleep(0)

    def advance(self, delay: float) -> None:
        """Move the time, running the timers that become due in their order."""
        target = self.time + delay
        while True:
            self.timers = [timer for timer in self.timers if not timer.is_cancelled]
            timer = min(self.timers, key=lambda timer: timer.due, default=None)
            if timer is None or timer.due > target:
                break
            self.timers.remove(timer)
            self.time = max(self.time, timer.due)
            timer.callback()
        self.time = target

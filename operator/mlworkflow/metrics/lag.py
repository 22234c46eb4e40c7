"""How late the event loop is: it is asked for every second, and what it comes later than that is what everybody waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Never

EVERY = 1.0


async def watch_lag(
    note: Callable[[float], None], now: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
) -> Never:
    """Call `note` with each delay in seconds, until cancelled."""
    while True:
        due = now() + EVERY
        await sleep(EVERY)
        note(max(0.0, now() - due))

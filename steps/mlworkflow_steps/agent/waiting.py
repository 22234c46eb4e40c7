"""What this agent waits for, told to the gateway, so that the step's message says it.

A wait that is over within seconds is nobody's concern. Of all others the oldest is told, once a minute at most, and withdrawn as soon as
nothing is waited for any more. Telling is no part of the work: whatever goes wrong with it is ignored, and tried again later.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

FIRST = 5.0
EVERY = 60.0
_SOON = 10.0


class Waiting:
    """`tell` takes what is waited for (contract, section 3), or None for nothing; `clock` counts seconds. For several threads at once."""

    def __init__(self, tell: Callable[[dict[str, Any] | None], None], clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._lock = allocate_lock()
        self._waits: dict[str, tuple[float, float, str]] = {}
        self._next = 0.0
        self._is_told = False

    def on(self, noun: str, words: str, since: float, until: float) -> None:
        """`noun` is waited for since and until a time of `clock`, because of `words`."""
        with self._lock:
            self._waits[noun] = (since, until, words)
            oldest, (began, ends, why) = min(self._waits.items(), key=lambda wait: wait[1][0])
            now = self._clock()
            if now < began + FIRST or now < self._next:
                return
            self._next = now + EVERY
        report = {"noun": oldest, "words": why, "since": round(now - began, 3), "left": round(ends - now, 3)}
        is_told = self._said(report)
        with self._lock:
            self._is_told |= is_told
            if not is_told:
                self._next = now + _SOON

    def over(self, noun: str) -> None:
        """`noun` is not waited for any more."""
        with self._lock:
            if self._waits.pop(noun, None) is None or self._waits or not self._is_told:
                return
            self._is_told = False
        self._said(None)

    def _said(self, report: dict[str, Any] | None) -> bool:
        try:
            self._tell(report)
        except Exception:  # the gateway is away, or has done with us: the work itself will tell
            return False
        return True

"""The engine's time: seconds since the epoch that only ever go forward, one second a second.

Anchored once, at the start, and from then on advanced by the monotonic clock: whoever sets the machine's clock afterwards changes
nothing. The operator anchors it to the API server's time, so that the two need not agree about the hour; a local run to its machine's.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class EngineClock:
    """Call it for the time. `monotonic` counts seconds from whatever moment."""

    __slots__ = ("_monotonic", "_offset")

    def __init__(self, wall: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset = 0.0
        self.anchor(wall)

    def anchor(self, wall: float) -> None:
        """It is `wall` now. Only for the time before anything has been stamped."""
        self._offset = wall - self._monotonic()

    def __call__(self) -> float:
        return self._offset + self._monotonic()

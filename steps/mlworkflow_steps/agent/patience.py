"""How long to wait between tries, and when to stop trying."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

DEFAULT_SECONDS = 6 * 3600.0
_FIRST = 0.1
_LONGEST = 15.0
_LONGEST_ASKED = 60.0


def _chance() -> float:
    return int.from_bytes(os.urandom(4), "big") / 2**32


class Patience:
    """Waits that double from 0.1 to 15 seconds, each between half and all of it, until `seconds` are over."""

    def __init__(
        self,
        seconds: float = DEFAULT_SECONDS,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = _chance,
        say: Callable[[str], None] = lambda words: print(f"mlworkflow: {words}", file=sys.stderr, flush=True),
    ) -> None:
        self._seconds = seconds
        self._sleep = sleep
        self.clock = clock
        self._chance = chance
        self._say = say

    def tries(self, noun: str) -> Tries:
        """A fresh series of tries for one thing."""
        return Tries(noun, self._seconds, self._sleep, self.clock, self._chance, self._say)


class Tries:
    """One series: `again` waits and says whether to try again; `reset` after progress starts the time anew."""

    def __init__(
        self,
        noun: str,
        seconds: float,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        chance: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._noun = noun
        self._seconds = seconds
        self._sleep = sleep
        self._clock = clock
        self._chance = chance
        self._say = say
        self.reset()

    def reset(self) -> None:
        """Progress was made: patience begins anew."""
        self._delay = _FIRST
        self._deadline = self._clock() + self._seconds

    def again(self, why: str, after: float | None = None) -> bool:
        """Waits (at least `after` seconds, if the other side asked for it), then True; False at once when the time
        is over.
        """
        delay = self._delay * (0.5 + self._chance() / 2)
        if after is not None:
            delay = max(delay, min(after, _LONGEST_ASKED))
        if self._clock() + delay > self._deadline:
            return False
        if self._delay > 1:
            self._say(f"{self._noun}: {why}; trying again in {delay:.0f} s")
        self._sleep(delay)
        self._delay = min(self._delay * 2, _LONGEST)
        return True

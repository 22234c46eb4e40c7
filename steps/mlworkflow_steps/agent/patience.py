"""How long to wait between tries, and when to stop trying."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

    from mlworkflow_steps.agent.waiting import Waiting

DEFAULT_SECONDS = 6 * 3600.0
_FIRST = 0.1
_LONGEST = 15.0
_LONGEST_ASKED = 60.0


def _chance() -> float:
    return int.from_bytes(os.urandom(4), "big") / 2**32


class Patience:
    """Waits that double from 0.1 to 15 seconds, each between half and all of it, until `seconds` are over.

    `tell`, where it is set, hears what is waited for (`agent.waiting`).
    """

    def __init__(
        self,
        seconds: float = DEFAULT_SECONDS,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = _chance,
        say: Callable[[str], None] = lambda words: print(f"mlworkflow: {words}", file=sys.stderr, flush=True),
    ) -> None:
        self.seconds = seconds
        self.sleep = sleep
        self.clock = clock
        self.chance = chance
        self.say = say
        self.tell: Callable[[dict[str, Any] | None], None] | None = None
        self._waiting: Waiting | None = None

    def tries(self, noun: str) -> Tries:
        """A fresh series of tries for one thing."""
        return Tries(noun, self)

    def waits(self, noun: str, words: str, since: float, until: float) -> None:
        """A series of tries has to wait."""
        if self._waiting is None and self.tell is not None:
            from mlworkflow_steps.agent.waiting import Waiting  # a step that never waits pays nothing

            self._waiting = Waiting(self.tell, self.clock)
        if self._waiting is not None:
            self._waiting.on(noun, words, since, until)

    def goes_on(self, noun: str) -> None:
        """It need not wait any more."""
        if self._waiting is not None:
            self._waiting.over(noun)


class Tries:
    """One series: `again` waits and says whether to try again; `reset` after progress starts the time anew."""

    def __init__(self, noun: str, patience: Patience) -> None:
        self._noun = noun
        self._patience = patience
        self._waits_since: float | None = None
        self.reset()

    def reset(self) -> None:
        """Progress was made: patience begins anew."""
        self._delay = _FIRST
        self._deadline = self._patience.clock() + self._patience.seconds
        if self._waits_since is not None:
            self._waits_since = None
            self._patience.goes_on(self._noun)

    def again(self, why: str, after: float | None = None, *, is_told: bool = True) -> bool:
        """Waits (at least `after` seconds, if the other side asked for it), then True; False at once when the time
        is over. Unless `is_told`, there is nobody who could be told.
        """
        patience = self._patience
        delay = self._delay * (0.5 + patience.chance() / 2)
        if after is not None:
            delay = max(delay, min(after, _LONGEST_ASKED))
        now = patience.clock()
        if now + delay > self._deadline:
            return False
        if self._waits_since is None:
            self._waits_since = now
        if self._delay > 1:
            patience.say(f"{self._noun}: {why}; trying again in {delay:.0f} s")
        if is_told:
            patience.waits(self._noun, why, self._waits_since, self._deadline)
        patience.sleep(delay)
        self._delay = min(self._delay * 2, _LONGEST)
        return True

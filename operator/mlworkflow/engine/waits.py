"""What running attempts say that they wait for, and when that is shown: `decide` hears of it once a minute at most.

A thousand steps that wait for the same store would otherwise write a status each time one of them speaks. That nobody waits any more is
shown at once. Nothing depends on it, so it is kept nowhere: after a restart of the operator the attempts say it again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mlworkflow.core.observation import AttemptId
from mlworkflow.gateway.runs import Waiting

EVERY = 60.0
"""Seconds between two changes of what is shown."""
LIVES = 300.0
"""Seconds after which a wait counts as over of which nothing more was heard: its agent says it again every minute."""
_SAME = 30.0
"""Seconds by which the times of one wait may seem to differ: they were under way."""
GATEWAY = "the gateway"
"""What an agent calls us; whatever else it waits for is the store's to give or take."""


@dataclass(frozen=True, slots=True)
class _Wait:
    noun: str
    words: str
    since: float
    until: float
    heard: float

    def __str__(self) -> str:
        what = self.noun if self.noun == GATEWAY else f"the store: {self.noun}"
        return f"waiting for {what}: {self.words}, since {_time(self.since)}, tries again until {_time(self.until, self.since)}"


class Waits:
    """Of one workflow."""

    def __init__(self) -> None:
        self._waits: dict[AttemptId, _Wait] = {}
        self._shown: dict[AttemptId, str] = {}
        self._changed = -math.inf

    def __len__(self) -> int:
        """How many attempts wait."""
        return len(self._waits)

    def note(self, attempt: AttemptId, waiting: Waiting | None, now: float) -> bool:
        """An attempt waits, or (None) goes on. Whether that is news."""
        before = self._waits.get(attempt)
        if waiting is None:
            self.forget(attempt)
            return before is not None
        since, until = now - waiting.since, now + waiting.left
        noun, words = _plain(waiting.noun), _plain(waiting.words)
        if before and before.noun == noun and abs(before.since - since) < _SAME:
            since = before.since
            until = before.until if abs(before.until - until) < _SAME else until
        wait = self._waits[attempt] = _Wait(noun, words, since, until, now)
        return before is None or str(before) != str(wait)

    def forget(self, attempt: AttemptId) -> None:
        """It is over, or waits no more."""
        self._waits.pop(attempt, None)

    @property
    def last_shown(self) -> Mapping[AttemptId, str]:
        """What was said the last time."""
        return self._shown

    def shown(self, now: float) -> Mapping[AttemptId, str]:
        """What is said of each attempt that waits: the same object as the last time where nothing has changed."""
        for attempt in [attempt for attempt, wait in self._waits.items() if now - wait.heard > LIVES]:
            self.forget(attempt)
        if self._waits or self._shown:
            current = {attempt: str(wait) for attempt, wait in self._waits.items()}
            if current != self._shown and (not current or now - self._changed >= EVERY):
                self._shown, self._changed = current, now
        return self._shown

    def due(self) -> float:
        """When to look again, if nothing happens before."""
        if not self._waits:
            return math.inf
        if {attempt: str(wait) for attempt, wait in self._waits.items()} != self._shown:
            return self._changed + EVERY
        return min(wait.heard for wait in self._waits.values()) + LIVES + 1.0


def _plain(text: str) -> str:
    """A text of a step on one line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _time(moment: float, beside: float | None = None) -> str:
    """``12:03 UTC``, with its date where that is another than `beside`'s."""
    then = datetime.fromtimestamp(moment, UTC)
    is_near = beside is None or datetime.fromtimestamp(beside, UTC).date() == then.date()
    return then.strftime("%H:%M UTC" if is_near else "%Y-%m-%d %H:%M UTC")

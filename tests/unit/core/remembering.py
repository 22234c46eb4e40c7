"""`decide` with a memory, told of just what is new, and held against `decide` without one in every turn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlworkflow.core.decide import Decision, decide
from mlworkflow.core.memory import Memory
from mlworkflow.core.observation import Observations
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Run

_BY_ATTEMPT = ("attempts", "results", "probed", "refused", "waits", "curves")
_BY_TASK = ("chosen", "unchosen", "recalled")
_SETS = ("choosing", "judging")


class Remembering:
    """Of one operator: another one begins with another."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._before = Observations()

    def decide(self, plan: Plan, run: Run, seen: Observations, now: float, whole: Decision | None = None) -> Decision:
        """`whole` is what is decided without a memory, where that is known."""
        self._tell(seen)
        whole, found = whole or decide(plan, run, seen, now), decide(plan, run, seen, now, self._memory)
        assert found.run == whole.run
        assert sorted(map(repr, found.actions)) == sorted(map(repr, whole.actions))
        assert found.usage == whole.usage
        assert found.changed == whole.changed
        assert whole.wake_at is None or (found.wake_at is not None and found.wake_at <= whole.wake_at)
        return found

    def _tell(self, seen: Observations) -> None:
        before, self._before = self._before, seen
        for field in _BY_ATTEMPT:
            for attempt in _changed(getattr(before, field), getattr(seen, field)):
                self._memory.note(attempt)
        for field in _BY_TASK:
            for task in _changed(getattr(before, field), getattr(seen, field)):
                self._memory.note_task(task)
        for field in _SETS:
            for task in getattr(before, field) ^ getattr(seen, field):
                self._memory.note_task(task)


def _changed(before: Any, after: Any) -> Iterable[Any]:
    return [key for key in {*before, *after} if before.get(key) != after.get(key)]

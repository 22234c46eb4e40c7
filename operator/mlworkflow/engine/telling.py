"""What a turn has brought about, for those who hear of it: lineage, metrics, events, logs, traces. No workflow waits for any of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from mlworkflow.core.plan import Plan
from mlworkflow.core.state import PENDING, Run, Task

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turned:
    """A run before and after a turn; `changed` has what the tasks were that have changed."""

    plan: Plan
    before: Run
    after: Run
    changed: Mapping[str, Task]

    @classmethod
    def between(cls, plan: Plan, before: Run, after: Run) -> Self:
        """By comparison, where nobody has noted what has changed."""
        known = {name: before.tasks.get(name, PENDING) for name in after.tasks}
        return cls(plan, before, after, {name: old for name, old in known.items() if after.tasks[name] is not old})

    def tasks(self) -> Iterator[tuple[str, Task, Task]]:
        """The tasks that have changed, as they were and as they are."""
        for name, old in self.changed.items():
            if (task := self.after.tasks.get(name)) is not None:
                yield name, old, task


Tell: TypeAlias = Callable[[Turned], None]


def nobody(turned: Turned) -> None:
    """Hears, and does nothing."""


def telling(tellers: Sequence[Tell]) -> Tell:
    """Several as one, in their order; each returns at once. A fault in one is a line in the log."""

    def tell(turned: Turned) -> None:
        for teller in tellers:
            try:
                teller(turned)
            except Exception:
                _log.exception("%s: not told: a bug", turned.plan.workflow.subject())

    return tell

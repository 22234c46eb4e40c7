"""The state of a run: what `decide` takes and gives, and what `status` writes down.

A *task* is one unit of execution: a step (``train``), an item or a trial (``tune/3``), a step of a group (``folds/1.prep``); `paths` has their ids.
A task is tried in *attempts*, numbered from 0. All values are immutable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from mlworkflow.core.names import Reason
from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef


class Phase(StrEnum):
    """Where a workflow or a task stands. Transitions go down this list only, save Running ⇄ Suspended and Running → Pending (a retry)."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"

    @property
    def is_finished(self) -> bool:
        return self in _FINISHED


_FINISHED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED, Phase.CANCELLED})


class Task(Struct, frozen=True, omit_defaults=True):
    """The state of one task.

    `attempt` is the number of the current or last attempt, -1 before the first. `failures` and `losses` count the attempts that
    failed by their own fault and by the infrastructure's. `not_before` holds a retry back. `since` is the first attempt that counts: what earlier
    ones left is not wanted any more, because a person asked to run the task again. `fingerprint` tells what it ran from what it would run now,
    `items` the items that a step with `forEach` began with. `params` are a trial's parameters, once they are known. `is_cached` says that its result is an earlier one's. `webhook` says what became of the webhook.
    Times are seconds since the epoch.
    """

    phase: Phase = Phase.PENDING
    reason: str = ""
    message: str = ""
    attempt: int = -1
    failures: int = 0
    losses: int = 0
    since: int = 0
    fingerprint: str = ""
    items: str = ""
    not_before: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    handle: str = ""
    parameters: Mapping[str, Any] = {}
    artifacts: Mapping[str, ArtifactRef] = {}
    metrics: Mapping[str, float] = {}
    params: Mapping[str, Any] = {}
    webhook: str = ""
    is_cached: bool = False

    @property
    def is_finished(self) -> bool:
        return self.phase.is_finished

    @property
    def is_pruned(self) -> bool:
        """Whether it is a trial that was stopped because it did not look promising: that is an end, and no failure."""
        return self.phase is Phase.CANCELLED and self.reason == Reason.PRUNED


class Verdict(Struct, frozen=True):
    """How a workflow ends, known before the steps for its end run; `at` is when it was."""

    phase: Phase
    reason: str
    message: str
    at: float


class Run(Struct, frozen=True):
    """The state of a workflow: its own phase and its tasks by id. A step that has no task yet is Pending.

    `verdict` is there from the moment that nothing can change the end any more. `rerun` is the last request to run steps again that was honoured.
    """

    phase: Phase = Phase.PENDING
    reason: str = ""
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    tasks: Mapping[str, Task] = {}
    verdict: Verdict | None = None
    rerun: str = ""


PENDING = Task()


def value_named(task: Task | Result, name: str) -> float | None:
    """A number that a task left: a metric it emitted, or an output parameter."""
    value: Any = task.metrics.get(name, task.parameters.get(name))
    return (
        float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        else None
    )

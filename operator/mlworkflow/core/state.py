"""The state of a run: what `decide` takes and gives, and what `status` writes down.

A *task* is one unit of execution: a step (``train``), or one trial of a tune step (``tune/3``). A task is tried in
*attempts*, numbered from 0. All values are immutable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

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
    failed by their own fault and by the infrastructure's. `not_before` holds a retry back, `webhook` says what became of the webhook. Times are seconds since the epoch.
    """

    phase: Phase = Phase.PENDING
    reason: str = ""
    message: str = ""
    attempt: int = -1
    failures: int = 0
    losses: int = 0
    not_before: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    handle: str = ""
    parameters: Mapping[str, Any] = {}
    artifacts: Mapping[str, ArtifactRef] = {}
    metrics: Mapping[str, float] = {}
    webhook: str = ""

    @property
    def is_finished(self) -> bool:
        return self.phase.is_finished


class Run(Struct, frozen=True):
    """The state of a workflow: its own phase and its tasks by id. A step that has no task yet is Pending."""

    phase: Phase = Phase.PENDING
    reason: str = ""
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    tasks: Mapping[str, Task] = {}


PENDING = Task()


def trial_id(step: str, number: int) -> str:
    """The task of a tune step's trial."""
    return f"{step}/{number}"


def step_of(task: str) -> str:
    """The step that a task belongs to."""
    return task.partition("/")[0]


def trial_number(task: str) -> int | None:
    """The number of the trial that a task is, or None for a step's own task."""
    number = task.partition("/")[2]
    return int(number) if number else None


def value_named(task: Task, name: str) -> float | None:
    """A number that a task left: a metric it emitted, or an output parameter."""
    value: Any = task.metrics.get(name, task.parameters.get(name))
    return (
        float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        else None
    )


def trials_of(step: str, tasks: Mapping[str, Task]) -> dict[int, Task]:
    """The trials of a tune step that have been started, by number, in order."""
    prefix = f"{step}/"
    found = {int(name[len(prefix) :]): task for name, task in tasks.items() if name.startswith(prefix)}
    return dict(sorted(found.items()))

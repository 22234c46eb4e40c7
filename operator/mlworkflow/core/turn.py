"""One turn of `decide`: the facts, the working copy of the tasks, and the few moves that policies make of.

Policies read facts and call the moves; nothing else changes a task.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from mlworkflow.core.actions import Action, Stop
from mlworkflow.core.duration import seconds
from mlworkflow.core.graph import Graph
from mlworkflow.core.model import Step, Workflow
from mlworkflow.core.names import Reason, pod_name
from mlworkflow.core.observation import Observations, Result
from mlworkflow.core.state import PENDING, Phase, Run, Task, step_of

LOSSES = 3
"""Attempts that the infrastructure may cost a task, beside the user's own retries."""

MESSAGE = 2048
"""Characters of a message that are kept."""


@dataclass(slots=True)
class Turn:
    """Facts (`workflow`, `graph`, `run`, `seen`, `now`) and results (`tasks`, `actions`, `wakes`, `ending`)."""

    workflow: Workflow
    graph: Graph
    run: Run
    seen: Observations
    now: float
    tasks: dict[str, Task] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    ending: tuple[Phase, str, str] | None = None

    def task(self, name: str) -> Task:
        return self.tasks.get(name, PENDING)

    def step(self, task: str) -> Step:
        """The step that a task runs: for a trial, the trial's."""
        step = self.workflow.steps[step_of(task)]
        return step.trial if step.trial and task != step.name else step

    def is_composite(self, task: str) -> bool:
        """Whether a task has no attempt of its own to watch (a tune step: its trials have)."""
        return self.workflow.steps[step_of(task)].trial is not None and "/" not in task

    def running(self) -> list[str]:
        """The tasks that have an attempt under way."""
        return [
            name for name, task in self.tasks.items() if task.phase is Phase.RUNNING and not self.is_composite(name)
        ]

    def wake(self, at: float) -> None:
        """Ask for a turn at `at`, whatever happens before."""
        self.wakes.append(at)

    def _handle(self, name: str, attempt: int) -> str:
        """What an attempt is called as long as no driver says otherwise."""
        return "" if self.is_composite(name) else pod_name(self.workflow.name, self.workflow.uid, name, attempt)

    # ── moves ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, name: str, attempt: int, handle: str = "", at: float | None = None) -> None:
        """Pending → Running."""
        task = self.task(name)
        began = task.started_at if task.started_at is not None else (self.now if at is None else at)
        self.tasks[name] = replace(
            task,
            phase=Phase.RUNNING,
            attempt=attempt,
            started_at=began,
            handle=handle or self._handle(name, attempt),
            reason="",
            message="",
            not_before=0.0,
        )
        if (limit := self.step(name).timeout) is not None:
            self.wake(began + limit)

    def succeed(self, name: str, attempt: int, result: Result) -> None:
        """→ Succeeded, with what the attempt committed."""
        task = self.task(name)
        self.tasks[name] = replace(
            task,
            phase=Phase.SUCCEEDED,
            reason="",
            message="",
            attempt=attempt,
            handle=task.handle if task.attempt == attempt else self._handle(name, attempt),
            started_at=task.started_at if task.started_at is not None else result.started_at or self.now,
            finished_at=task.finished_at or result.finished_at or self.now,
            parameters=result.parameters,
            artifacts=result.outputs,
            metrics=result.metrics,
        )

    def keep(self, name: str, result: Result) -> None:
        """What a failed attempt left all the same, such as the report of a gate: to look at, never an input of a step."""
        self.tasks[name] = replace(self.task(name), parameters=result.parameters, artifacts=result.outputs)

    def finish(self, name: str, phase: Phase, reason: str, message: str = "") -> None:
        """→ Failed, Skipped or Cancelled, for good."""
        self.tasks[name] = replace(
            self.task(name),
            phase=phase,
            reason=str(reason),
            message=message[-MESSAGE:],
            finished_at=self.now,
            not_before=0.0,
        )

    def fail(self, name: str, reason: str, message: str, *, retriable: bool = True) -> None:
        """An attempt failed by its own fault: → Pending until its back-off is over, or → Failed."""
        task, retry = self.task(name), self.step(name).retry
        failures = task.failures + 1
        if not retriable or failures > retry.limit:
            self.tasks[name] = replace(task, failures=failures)
            self.finish(name, Phase.FAILED, reason, message)
            return
        delay = min(seconds(retry.backoff) * retry.factor ** (failures - 1), seconds(retry.cap))
        self._retry(name, replace(task, failures=failures), reason, message, delay)

    def lose(self, name: str, reason: str, message: str) -> None:
        """An attempt was lost to the infrastructure: try again, out of a budget of its own."""
        task = self.task(name)
        losses = task.losses + 1
        if losses > LOSSES:
            self.tasks[name] = replace(task, losses=losses)
            self.finish(
                name, Phase.FAILED, reason, f"lost {losses} times to the infrastructure, the last time: {message}"
            )
            return
        self._retry(name, replace(task, losses=losses), reason, message, 0.0 if losses == 1 else 2.0 ** (losses - 1))

    def _retry(self, name: str, task: Task, reason: str, message: str, delay: float) -> None:
        self.tasks[name] = replace(
            task, phase=Phase.PENDING, reason=str(reason), message=message[-MESSAGE:], not_before=self.now + delay
        )

    def stop(self, name: str) -> None:
        """End the attempt that a task has under way."""
        task = self.task(name)
        if task.phase is Phase.RUNNING and not self.is_composite(name):
            self.actions.append(Stop(name, task.attempt, task.handle))

    def end(self, phase: Phase, reason: Reason, message: str) -> None:
        """The workflow's own end, decided before its steps have ended by themselves."""
        self.ending = (phase, str(reason), message)

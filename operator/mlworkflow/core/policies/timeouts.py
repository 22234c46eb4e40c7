"""Time limits: of the workflow, of a step (every attempt included), and of waiting to start."""

from __future__ import annotations

from mlworkflow.core.duration import human
from mlworkflow.core.names import Reason
from mlworkflow.core.observation import Seen
from mlworkflow.core.state import Phase, step_of
from mlworkflow.core.turn import Turn


def limit_workflow(turn: Turn) -> None:
    """`spec.timeout`: everything under way is stopped, the workflow fails."""
    limit = turn.workflow.timeout
    if limit is None or turn.ending or all(turn.task(name).is_finished for name in turn.graph.order):
        return
    began = turn.run.started_at if turn.run.started_at is not None else turn.now
    if turn.now < began + limit:
        turn.wake(began + limit)
        return
    message = f"the workflow ran longer than its timeout of {human(limit)}"
    stop_everything(turn, Phase.FAILED, Reason.DEADLINE_EXCEEDED, message)
    turn.end(Phase.FAILED, Reason.DEADLINE_EXCEEDED, message)


def limit_steps(turn: Turn) -> None:
    """`timeout` of a step, and of each trial of a tune step."""
    for name in list(turn.tasks):
        task, limit = turn.task(name), turn.step(name).timeout
        if limit is None or task.is_finished or task.started_at is None:
            continue
        if turn.now < task.started_at + limit:
            turn.wake(task.started_at + limit)
            continue
        message = f"ran longer than its timeout of {human(limit)}"
        stop_task(turn, name, Phase.FAILED, Reason.DEADLINE_EXCEEDED, message)


def limit_pending(turn: Turn) -> None:
    """`pendingTimeout`: an attempt that never started fails with what it waited for."""
    for (name, number), attempt in turn.seen.attempts.items():
        task = turn.task(name)
        if attempt.seen is not Seen.WAITING or task.phase is not Phase.RUNNING or task.attempt != number:
            continue
        limit = turn.step(name).pending_timeout
        if turn.now < attempt.created_at + limit:
            turn.wake(attempt.created_at + limit)
            continue
        turn.stop(name)
        cause = f": {attempt.message}" if attempt.message else ""
        turn.fail(
            name,
            attempt.reason or Reason.PENDING_TIMEOUT,
            f"did not start within {human(limit)}{cause}",
            retriable=False,
        )


def stop_task(turn: Turn, name: str, phase: Phase, reason: Reason, message: str) -> None:
    """End a task from outside; a tune step takes its trials with it."""
    if turn.is_composite(name):
        cancel_trials(turn, name, reason, message)
    turn.stop(name)
    turn.finish(name, phase, reason, message)


def cancel_trials(turn: Turn, name: str, reason: Reason, message: str) -> None:
    """End the trials of a tune step that have not ended."""
    for trial in [other for other in turn.tasks if other != name and step_of(other) == name]:
        if not turn.task(trial).is_finished:
            stop_task(turn, trial, Phase.CANCELLED, reason, message)


def stop_everything(turn: Turn, running: Phase, reason: Reason, message: str) -> None:
    """End every task that has not ended: `running` for those under way, Cancelled for the rest."""
    for name in turn.graph.order:
        task = turn.task(name)
        if not task.is_finished:
            stop_task(turn, name, running if task.phase is Phase.RUNNING else Phase.CANCELLED, reason, message)

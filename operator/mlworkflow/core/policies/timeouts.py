"""Time limits: of the workflow, of the steps for its end, of a step (every attempt included), of an attempt, and of waiting to start."""

from __future__ import annotations

from mlworkflow.core.duration import human
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Role
from mlworkflow.core.observation import Seen
from mlworkflow.core.state import Phase
from mlworkflow.core.turn import Turn


def limit_workflow(turn: Turn) -> None:
    """`spec.timeout`: everything under way is stopped, the workflow fails."""
    limit = turn.workflow.timeout
    if limit is None or turn.verdict or turn.has_ended(turn.graph.main):
        return
    began = turn.run.started_at if turn.run.started_at is not None else turn.now
    if turn.now < began + limit:
        turn.wake(began + limit)
        return
    message = f"the workflow ran longer than its timeout of {human(limit)}"
    stop_steps(turn, turn.graph.main.order, Phase.FAILED, Reason.DEADLINE_EXCEEDED, message)
    turn.end(Phase.FAILED, Reason.DEADLINE_EXCEEDED, message)


def limit_exit(turn: Turn) -> None:
    """`onExit.timeout`, from the moment that the workflow's end was known."""
    if turn.verdict is None or turn.has_ended(turn.graph.exit):
        return
    ends = turn.verdict.at + turn.workflow.exit_timeout
    if turn.now < ends:
        turn.wake(ends)
        return
    message = f"the steps of onExit ran longer than their timeout of {human(turn.workflow.exit_timeout)}"
    stop_steps(turn, turn.graph.exit.order, Phase.FAILED, Reason.DEADLINE_EXCEEDED, message)


def limit_steps(turn: Turn) -> None:
    """`timeout` of a step: of each item and of each trial; of a group, all that is in it."""
    for node, task in turn.open_tasks():
        limit = node.step.timeout
        if limit is None or task.started_at is None or node.role is Role.FAN:
            continue
        if turn.task(node.task).is_finished:  # ended with what it is part of, just now
            continue
        if turn.now < task.started_at + limit:
            turn.wake(task.started_at + limit, node.task)
            continue
        message = f"ran longer than its timeout of {human(limit)}"
        turn.stop_task(node.task, Phase.FAILED, Reason.DEADLINE_EXCEEDED, message)


def limit_attempts(turn: Turn) -> None:
    """`attemptTimeout`: an attempt that runs for too long is stopped, and has failed."""
    for node, task in turn.running():
        limit, attempt = node.step.attempt_timeout, turn.seen.attempts.get((node.task, task.attempt))
        if limit is None or attempt is None or attempt.running_since is None:
            continue
        if node.may_share and task.started_at is None:
            continue  # it is not its turn
        since = max(attempt.running_since, task.started_at or 0.0) if node.may_share else attempt.running_since
        if turn.now < since + limit:
            turn.wake(since + limit, node.task)
            continue
        turn.stop(node.task)
        message = f"attempt {task.attempt} ran longer than its timeout of {human(limit)}"
        turn.fail(node.task, Reason.DEADLINE_EXCEEDED, message)


def limit_pending(turn: Turn) -> None:
    """`pendingTimeout`: an attempt that never started fails with what it waited for."""
    for node, task in turn.running():
        name, attempt = node.task, turn.seen.attempts.get((node.task, task.attempt))
        if attempt is None or attempt.seen is not Seen.WAITING:
            continue
        limit = node.step.pending_timeout
        began = attempt.created_at if attempt.waiting_since is None else attempt.waiting_since
        if turn.now < began + limit:
            turn.wake(began + limit, name)
            continue
        turn.stop(name)
        cause = f": {attempt.message}" if attempt.message else ""
        turn.fail(
            name,
            attempt.reason or Reason.PENDING_TIMEOUT,
            f"did not start within {human(limit)}{cause}",
            retriable=False,
        )


def stop_steps(turn: Turn, names: tuple[str, ...], running: Phase, reason: Reason, message: str) -> None:
    """End every step that has not ended: `running` for those under way, Cancelled for the rest."""
    for name in names:
        task = turn.task(name)
        if not task.is_finished:
            turn.stop_task(name, running if task.phase is Phase.RUNNING else Phase.CANCELLED, reason, message)

"""The workflow's own phase, from those of its steps; and an end to attempts that nobody waits for."""

from __future__ import annotations

from mlworkflow.core.actions import Stop
from mlworkflow.core.names import Reason
from mlworkflow.core.observation import Seen
from mlworkflow.core.state import Phase, Run, Task
from mlworkflow.core.turn import Turn


def stop_leftovers(turn: Turn) -> None:
    """An attempt that is neither its task's current one nor about to leave by itself, having committed, is stopped.

    One that lingers will not leave by itself: it is stopped as soon as all is known of it.
    """
    asked = {(action.task, action.attempt) for action in turn.actions if isinstance(action, Stop)}
    for key, attempt in turn.seen.attempts.items():
        if attempt.leaving or key in asked or (attempt.seen is Seen.ENDED and not attempt.lingering):
            continue
        task = turn.task(attempt.task)
        is_current = task.phase is Phase.RUNNING and task.attempt == attempt.number
        is_known = key in turn.seen.results
        if not (is_current and not is_known if attempt.lingering else is_current or is_known):
            turn.actions.append(Stop(attempt.task, attempt.number, attempt.handle))


def conclude(turn: Turn) -> Run:
    """The state after this turn."""
    began = turn.run.started_at if turn.run.started_at is not None else turn.now
    steps = {name: turn.task(name) for name in turn.graph.order}
    if not turn.ending and all(task.is_finished for task in steps.values()):
        if failed := first_failure(steps):
            task = steps[failed]
            turn.end(
                Phase.FAILED,
                Reason.STEP_FAILED,
                f"step '{failed}' failed: {task.reason}{': ' + first_line(task.message) if task.message else ''}",
            )
        else:
            turn.end(Phase.SUCCEEDED, Reason.SUCCEEDED, "")
    if turn.ending:
        phase, reason, message = turn.ending
        return Run(phase, reason, message, began, turn.now, turn.tasks)
    return Run(
        Phase.SUSPENDED if turn.workflow.suspend else Phase.RUNNING, "", turn.seen.waiting, began, None, turn.tasks
    )


def first_failure(steps: dict[str, Task]) -> str | None:
    """The step that failed first: the cause of everything after it."""
    failed = [name for name, task in steps.items() if task.phase is Phase.FAILED]
    return min(failed, key=lambda name: steps[name].finished_at or 0.0, default=None)


def first_line(message: str) -> str:
    return message.strip().partition("\n")[0]

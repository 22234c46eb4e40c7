"""Start what is ready, as far as `parallelism` allows; a back-off that is over counts as ready."""

from __future__ import annotations

from mlworkflow.core import orders
from mlworkflow.core.actions import Start
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.names import Reason
from mlworkflow.core.policies.dependencies import is_ready
from mlworkflow.core.state import Phase
from mlworkflow.core.turn import Turn


def start_ready(turn: Turn) -> None:
    """Steps in topological order; tune steps only open their study here, their trials start by `run_studies`."""
    for name in turn.graph.order:
        task = turn.task(name)
        if task.phase is not Phase.PENDING or not is_ready(turn, name):
            continue
        if turn.is_composite(name):
            turn.start(name, 0)
        else:
            start_task(turn, name)


def start_task(turn: Turn, name: str) -> bool:
    """Start a task's next attempt unless it must wait. Whether it was started."""
    task = turn.task(name)
    if turn.now < task.not_before:
        turn.wake(task.not_before)
        return False
    if not has_room(turn):
        return False
    attempt = task.attempt + 1
    try:
        order = orders.order(turn.workflow, turn.tasks, name, attempt)
    except ExpressionError as error:
        turn.finish(name, Phase.FAILED, Reason.EXPRESSION_ERROR, str(error))
        return False
    except KeyError as missing:
        turn.finish(
            name,
            Phase.FAILED,
            Reason.ARTIFACT_MISSING,
            f"the step before left no {missing}, which is optional there and needed here",
        )
        return False
    turn.start(name, attempt)
    turn.wake(turn.now + turn.step(name).pending_timeout)
    turn.actions.append(Start(order))
    return True


def has_room(turn: Turn) -> bool:
    """Whether the workflow may have one more Pod."""
    limit = turn.workflow.parallelism
    return not turn.seen.waiting and not turn.workflow.suspend and (limit is None or len(turn.running()) < limit)

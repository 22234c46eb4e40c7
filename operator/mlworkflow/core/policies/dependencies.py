"""Steps that will not run: something they wait for failed or was skipped, or their condition is false."""

from __future__ import annotations

from mlworkflow.core import orders
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.names import Reason
from mlworkflow.core.state import Phase
from mlworkflow.core.turn import Turn


def skip_unreachable(turn: Turn) -> None:
    """In topological order, so that skipping carries on down the graph in one turn."""
    for name in turn.graph.order:
        task = turn.task(name)
        if task.phase is not Phase.PENDING or task.attempt >= 0:
            continue
        parents = turn.graph.parents[name]
        if (cause := _missing(turn, parents)) is not None:
            turn.finish(name, Phase.SKIPPED, *cause)
        elif is_ready(turn, name):
            _judge_condition(turn, name)


def is_ready(turn: Turn, name: str) -> bool:
    """Whether everything that a step waits for has succeeded."""
    return all(turn.task(parent).phase is Phase.SUCCEEDED for parent in turn.graph.parents[name])


def _missing(turn: Turn, parents: tuple[str, ...]) -> tuple[str, str] | None:
    for parent in parents:
        match turn.task(parent).phase:
            case Phase.FAILED | Phase.CANCELLED:
                return Reason.DEPENDENCY_FAILED, f"step '{parent}' failed"
            case Phase.SKIPPED:
                reason = turn.task(parent).reason
                cause = Reason.DEPENDENCY_FAILED if reason == Reason.DEPENDENCY_FAILED else Reason.DEPENDENCY_SKIPPED
                return cause, f"step '{parent}' was skipped"
    return None


def _judge_condition(turn: Turn, name: str) -> None:
    step = turn.workflow.steps[name]
    try:
        if not orders.condition(turn.workflow, step, turn.tasks):
            turn.finish(name, Phase.SKIPPED, Reason.CONDITION_FALSE, f"when: {step.when}")
    except ExpressionError as error:
        turn.finish(name, Phase.FAILED, Reason.EXPRESSION_ERROR, str(error))

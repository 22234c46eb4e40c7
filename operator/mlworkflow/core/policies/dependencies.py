"""Is it a step's turn? What it waits for has ended as it must, has ended otherwise, or has not ended; and its condition holds or not."""

from __future__ import annotations

from mlworkflow.core import paths
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.graph import Need, Scope, parts_of
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.state import Phase, Task
from mlworkflow.core.turn import Turn


def is_ready(turn: Turn, scope: Scope, node: Node) -> bool:
    """Whether a step may start. One that never will is skipped here, or fails."""
    name = node.step.name
    parents = [(turn.node(paths.child(node.scope, parent)), need) for parent, need in scope.needs[name].items()]
    states = [(parent, turn.task(parent.task), need) for parent, need in parents]
    for parent, state, need in states:
        if state.is_finished and not _satisfies(node, parent, state, need):
            turn.finish(node.task, Phase.SKIPPED, *_cause(parent.step.name, state))
            return False
    if not all(state.is_finished for _, state, _ in states):
        return False
    return _has_inputs(turn, node) and (is_asked_of_items(node) or is_wanted(turn, node))


def has_what_it_had(turn: Turn, scope: Scope, node: Node) -> bool:
    """Whether everything that a step waits for has ended, so that a further attempt of it finds what its first one found: after a restart, what
    left no record has to come to its end again first."""
    return all(turn.task(paths.child(node.scope, parent)).is_finished for parent in scope.needs[node.step.name])


def is_wanted(turn: Turn, node: Node) -> bool:
    """Whether the `when` of a step holds. Where it does not the step is skipped, where it cannot be told it has failed."""
    try:
        if turn.view.condition(node):
            return True
        turn.finish(node.task, Phase.SKIPPED, Reason.CONDITION_FALSE, f"when: {node.owner.when}")
    except ExpressionError as error:
        turn.finish(node.task, Phase.FAILED, Reason.EXPRESSION_ERROR, str(error))
    return False


def is_asked_of_items(node: Node) -> bool:
    """Whether the `when` of a step with `forEach` is asked of each item, because it speaks of the item."""
    return node.step.for_each is not None and any(
        expression.roots & {"item", "index"} for expression in parts_of(node.step.when)
    )


def _satisfies(node: Node, parent: Node, state: Task, need: Need) -> bool:
    match need:
        case Need.END:
            return True
        case Need.ORDER:
            allowed = node.step.run_after
            return str(state.phase) in allowed or (is_forgiven(parent, state) and "Succeeded" in allowed)
    return state.phase is Phase.SUCCEEDED


def is_forgiven(node: Node, state: Task) -> bool:
    """Whether a failure is one that `allowFailure` allows."""
    return state.phase is Phase.FAILED and node.owner.allow_failure


def _cause(parent: str, state: Task) -> tuple[str, str]:
    if state.phase is Phase.SKIPPED:
        is_failure = state.reason == Reason.DEPENDENCY_FAILED
        reason = Reason.DEPENDENCY_FAILED if is_failure else Reason.DEPENDENCY_SKIPPED
        return reason, f"step '{parent}' was skipped"
    if state.phase is Phase.SUCCEEDED:
        return Reason.DEPENDENCY_SKIPPED, f"step '{parent}' succeeded, and runAfter does not name that"
    return Reason.DEPENDENCY_FAILED, f"step '{parent}' failed"


def _has_inputs(turn: Turn, node: Node) -> bool:
    """Whether every input that a step needs is there. All of its sources have ended, so that one that is not there never will be."""
    for name, source in node.step.inputs.items():
        try:
            turn.view.input(node, name, source)
        except KeyError as missing:
            ended = [turn.task(task) for step, _ in source.sources if (task := turn.nodes.resolve(node.scope, step))]
            if any(state.phase is Phase.SUCCEEDED for state in ended):
                message = f"the step before left no {missing}, which is optional there and needed here"
                turn.finish(node.task, Phase.FAILED, Reason.ARTIFACT_MISSING, message)
            else:
                failed = any(
                    state.phase is not Phase.SKIPPED or state.reason == Reason.DEPENDENCY_FAILED for state in ended
                )
                reason = Reason.DEPENDENCY_FAILED if failed else Reason.DEPENDENCY_SKIPPED
                turn.finish(node.task, Phase.SKIPPED, reason, f"there is no {missing}")
            return False
    return True

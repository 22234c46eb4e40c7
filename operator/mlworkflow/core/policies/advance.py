"""From what has ended to what starts: the steps of a scope in their order, and the scopes inside it, each as far as it gets."""

from __future__ import annotations

from mlworkflow.core import paths
from mlworkflow.core.graph import Scope
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node, Role
from mlworkflow.core.policies.approvals import ask
from mlworkflow.core.policies.dependencies import has_what_it_had, is_forgiven, is_ready
from mlworkflow.core.policies.fans import run_fan
from mlworkflow.core.policies.groups import settle_group
from mlworkflow.core.policies.lookups import look_up
from mlworkflow.core.policies.promotions import promote
from mlworkflow.core.policies.starting import start
from mlworkflow.core.policies.studies import run_study
from mlworkflow.core.state import Phase
from mlworkflow.core.turn import Turn


def advance_steps(turn: Turn) -> None:
    """The workflow's own steps."""
    if turn.verdict is None:
        advance(turn, turn.graph.main, paths.ROOT)


def advance(turn: Turn, scope: Scope, at: str) -> None:
    """Topological order makes one pass enough: what a step waits for has been looked at before it."""
    place = turn.scope(scope, at)

    def node_at(position: int) -> Node:
        return turn.node(paths.child(at, scope.order[position]))

    for position in place.visits(turn.has_room):
        node = node_at(position)
        task = turn.task(node.task)
        if task.is_finished:
            continue
        if task.phase is Phase.PENDING:
            may_start = is_ready if task.started_at is None else has_what_it_had
            if may_start(turn, scope, node) and not start(turn, node) and not turn.task(node.task).is_finished:
                turn.wait(node)
        carry_on(turn, node)
    turn.leave(place, node_at)
    if turn.workflow.fail_fast and place.failed:
        stop_after_failure(turn, scope, at)


def carry_on(turn: Turn, node: Node) -> None:
    """What is in a task that runs and is made of others."""
    if turn.task(node.task).phase is not Phase.RUNNING:
        return
    match node.role:
        case Role.FAN:
            run_fan(turn, node, carry_on)
        case Role.STUDY:
            run_study(turn, node, carry_on)
        case Role.GROUP:
            assert node.inner is not None
            at = paths.scope_of(node.task, turn.task(node.task).attempt)
            advance(turn, node.inner, at)
            settle_group(turn, node, at)
        case Role.APPROVAL:
            ask(turn, node)
            turn.look_again(node)
        case Role.NAMED:
            look_up(turn, node)
            turn.look_again(node)
        case Role.PROMOTION:
            promote(turn, node)
            turn.look_again(node)


def stop_after_failure(turn: Turn, scope: Scope, at: str) -> None:
    """`failFast`: what is left of a scope is stopped once a step of it has failed."""
    nodes = [turn.node(paths.child(at, name)) for name in scope.order]
    failed = next(
        (
            node
            for node in nodes
            if (state := turn.task(node.task)).phase is Phase.FAILED and not is_forgiven(node, state)
        ),
        None,
    )
    if failed is None:
        return
    for node in nodes:
        if not turn.task(node.task).is_finished:
            message = f"step '{failed.step.name}' failed, and failFast is set"
            turn.stop_task(node.task, Phase.CANCELLED, Reason.CANCELLED, message)

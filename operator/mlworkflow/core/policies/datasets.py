"""Steps that stand for a named dataset: which version that is, is asked once, and committed as a result."""

from __future__ import annotations

from dataclasses import replace

from mlworkflow.core.actions import LookUp
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.fingerprint import of_composed
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.orders import body_of_step
from mlworkflow.core.origins import dataset_parts
from mlworkflow.core.turn import Turn


def look_up(turn: Turn, node: Node) -> None:
    """Ask for the version that the name stands for."""
    try:
        name = body_of_step(turn.view, node, turn.view.names(node))["name"]
    except ExpressionError as error:
        turn.fail(node.task, Reason.EXPRESSION_ERROR, str(error), retriable=False)
        return
    parts = dataset_parts(name)
    if parts is None:
        turn.fail(node.task, Reason.INPUT_INVALID, f"dataset: '{name}' is neither NAME nor NAME@sha256:…")
        return
    attempt, fingerprint = turn.task(node.task).attempt, of_composed(turn.view, node)
    step = replace(node.step, body={"name": name})
    turn.actions.append(LookUp(step, node.task, attempt, *parts, fingerprint))

"""Steps that stand for a named dataset or model: which version that is, is asked once, and committed as a result."""

from __future__ import annotations

from dataclasses import replace

from mlworkflow.core.actions import LookUp
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.fingerprint import of_composed
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.orders import body_of_step
from mlworkflow.core.origins import dataset_parts, model_parts
from mlworkflow.core.turn import Turn

_PARTS = {
    "dataset": (dataset_parts, "neither NAME nor NAME@sha256:…"),
    "model": (model_parts, "none of NAME@ALIAS, NAME@3 and NAME@sha256:…"),
}


def look_up(turn: Turn, node: Node) -> None:
    """Ask for the version that the name stands for."""
    try:
        body = body_of_step(turn.view, node, turn.view.names(node))
    except ExpressionError as error:
        turn.fail(node.task, Reason.EXPRESSION_ERROR, str(error), retriable=False)
        return
    kind = node.step.kind.name
    parts_of, wrong = _PARTS[kind]
    if (parts := parts_of(body["name"])) is None:
        turn.fail(node.task, Reason.INPUT_INVALID, f"{kind}: '{body['name']}' is {wrong}")
        return
    attempt, fingerprint = turn.task(node.task).attempt, of_composed(turn.view, node)
    step, is_optional = replace(node.step, body=body), bool(body.get("optional"))
    turn.ask(LookUp(step, node.task, attempt, *parts, is_optional, fingerprint))

"""Steps that move an alias of a model: asked for once, and committed as a result."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from mlworkflow.core.actions import Promote
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.fingerprint import of_composed
from mlworkflow.core.kinds import promote as kind
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.orders import body_of_step
from mlworkflow.core.state import Phase, Task
from mlworkflow.core.turn import Turn


def promote(turn: Turn, node: Node) -> None:
    """Ask for the move."""
    try:
        evaluated = body_of_step(turn.view, node, turn.view.names(node))
        body = msgspec.convert(evaluated, kind.Promote)
        inputs, pinned = turn.view.inputs(node), _pinned(turn, f"{body.model}@{body.alias}")
    except ExpressionError as error:
        turn.fail(node.task, Reason.EXPRESSION_ERROR, str(error), retriable=False)
        return
    except KeyError as missing:
        turn.fail(node.task, Reason.ARTIFACT_MISSING, f"there is no {missing}", retriable=False)
        return
    if problems := kind.problems_of(body):
        message = "; ".join(f"promote.{field}: {problem}" for field, problem in problems)
        turn.fail(node.task, Reason.EXPRESSION_ERROR, message, retriable=False)
        return
    if not body.expect and pinned and pinned.phase is not Phase.SUCCEEDED:
        if pinned.is_finished:
            message = f"what {body.model}@{body.alias} meant when the run began is not known: {pinned.message}"
            turn.fail(node.task, Reason.INPUT_INVALID, message)
        return
    expect = body.expect or (str(pinned.parameters.get("digest", "none")) if pinned else "")
    attempt, fingerprint = turn.task(node.task).attempt, of_composed(turn.view, node)
    step = replace(node.step, body=evaluated)
    asked = Promote(step, node.task, attempt, body.model, body.alias, inputs, expect, body.message, body.dry_run, fingerprint)  # fmt: skip
    turn.ask(asked)


def _pinned(turn: Turn, reference: str) -> Task | None:
    """What found out what an alias meant when the run began, where the workflow asks for it. Raises ExpressionError."""
    for name, step in turn.workflow.steps.items():
        if step.kind.name == "model":
            named = turn.node(name)
            if body_of_step(turn.view, named, turn.view.names(named))["name"] == reference:
                return turn.task(name)
    return None

"""Steps that wait for a person: a yes is a result with what the person supplied, a no is a failure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from mlworkflow.core.actions import Publish
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.fingerprint import of_composed
from mlworkflow.core.kinds.approve import Approve, accepts
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.orders import body_of_step
from mlworkflow.core.spec_fields import Approval
from mlworkflow.core.state import Phase
from mlworkflow.core.turn import Turn


def ask(turn: Turn, node: Node) -> None:
    """The task's message is the question, and what is wrong with an answer."""
    try:
        body = msgspec.convert(body_of_step(turn.view, node, turn.view.names(node)), Approve)
    except ExpressionError as error:
        turn.finish(node.task, Phase.FAILED, Reason.EXPRESSION_ERROR, str(error))
        return
    question = f"waits for approval{': ' + body.message if body.message else ''}"
    attempt, answer = turn.task(node.task).attempt, turn.workflow.approvals.get(node.task)
    if answer is None or answer.attempt != attempt:
        turn.say(node.task, question)
        turn.block(node, "approval")
    elif not answer.approved:
        said = f": {answer.comment}" if answer.comment else ""
        turn.finish(node.task, Phase.FAILED, Reason.REJECTED, f"rejected by {answer.by}{said}")
    elif problems := _problems(body, answer):
        turn.say(node.task, f"{question}; the answer of {answer.by} does not fit: {'; '.join(problems)}")
    else:
        values = _values(body, answer)
        parameters = {**values, "approved": True, "by": answer.by, "comment": answer.comment}
        fingerprint = of_composed(turn.view, node)
        turn.ask(Publish(node.step, node.task, attempt, parameters, fingerprint=fingerprint))


def _values(body: Approve, answer: Approval) -> dict[str, Any]:
    """What the person supplied, and the defaults for the rest."""
    defaults = {name: question.default for name, question in body.inputs.items() if question.default is not UNSET}
    return {**defaults, **answer.inputs}


def _problems(body: Approve, answer: Approval) -> list[str]:
    values = _values(body, answer)
    unknown = [f"'{name}' is not asked for" for name in answer.inputs if name not in body.inputs]
    missing = [f"'{name}' is missing" for name in body.inputs if name not in values]
    wrong = [
        f"'{name}' {problem}"
        for name, question in body.inputs.items()
        if name in values and (problem := accepts(question, values[name]))
    ]
    return [*unknown, *missing, *wrong]

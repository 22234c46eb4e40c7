"""Which failures are tried again: `retry.only`. How often and how soon is the turn's to say."""

from __future__ import annotations

from msgspec import UNSET

from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import render
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.state import Task
from mlworkflow.core.view import View


def is_retried(view: View, node: Node, task: Task, reason: str, message: str, exit_code: int | None) -> bool:
    """Whether `retry.only` names the failure of a task's last attempt, counted already. Raises ExpressionError."""
    # The same reference names the same wrong thing again, and what was compared with another champion has to be compared anew.
    if reason in (Reason.INPUT_INVALID, Reason.ALIAS_MOVED):
        return False
    only = node.step.retry.only
    if only is UNSET or (exit_code is not None and exit_code in only.exit_codes) or reason in only.reasons:
        return True
    if not only.expression:
        return False
    last = {
        "exitCode": exit_code,
        "reason": str(reason),
        "message": message,
        "attempt": task.attempt,
        "failures": task.failures,
    }
    value = render(only.expression, {**view.names(node), "last": last})
    if not isinstance(value, bool):
        raise ExpressionError(f"'{only.expression}' is {type(value).__name__}, not true or false")
    return value

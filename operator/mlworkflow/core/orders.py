"""From a task to an `Order`: expressions evaluated, inputs pinned. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import UNSET

from mlworkflow.core.actions import Order
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import as_text
from mlworkflow.core.fingerprint import of_order
from mlworkflow.core.nodes import Node
from mlworkflow.core.parsing import schema_problem
from mlworkflow.core.state import PENDING
from mlworkflow.core.view import View

LARGEST = 1 << 20
"""Bytes of one parameter, as JSON."""


def order(view: View, node: Node, attempt: int) -> Order:
    """The order for one attempt of a task.

    Raises ExpressionError, whose message begins with the field; KeyError for an input that is not there.
    """
    step, owner, names = node.step, node.owner, view.names(node)
    before = view.tasks.get(node.task, PENDING)
    params = dict(view.field("params", step.params, names))
    body = body_of_step(view, node, names)
    if node.trial is not None:
        tried = names["trial"]["params"]
        params = {**view.field("params", owner.params, names), **params, **tried}
        if merged := step.kind.takes_trial_params:
            body[merged] = {**body.get(merged, {}), **tried}
    check_sizes(params, "params")
    image = "" if step.common.image is UNSET else step.common.image
    made = Order(
        workflow=view.workflow.name,
        namespace=view.workflow.namespace,
        uid=view.workflow.uid,
        step=step,
        task=node.task,
        attempt=attempt,
        is_looked_up=step.is_cached
        and not before.since,  # who asks for a step to run again does not ask for what it left
        failures=before.failures,
        losses=before.losses,
        spec=body,
        params=params,
        inputs=view.inputs(node),
        literals=view.literals(node),
        outputs=step.outputs,
        image=body.get("image") or as_text(view.field("image", image, names)),
        env=()
        if step.common.env is UNSET
        else tuple(_variable(variable) for variable in view.field("env", step.common.env, names)),
        resources={} if step.common.resources is UNSET else view.field("resources", step.common.resources, names),
    )
    if node.trial is not None and node.may_share and node.above:
        made = replace(made, per_pod=int(view.study(node.above).trials.per_pod))
    return replace(made, fingerprint=of_order(made))


def body_of_step(view: View, node: Node, names: Mapping[str, Any]) -> dict[str, Any]:
    """The kind's part of a step, evaluated and of the right types. Raises ExpressionError."""
    kind = node.step.kind
    literal = {field: node.step.body[field] for field in kind.literal_fields & node.step.body.keys()}
    written = {field: value for field, value in node.step.body.items() if field not in literal}
    body = {**view.field(kind.name, written, names), **literal}
    for field in kind.text_fields & body.keys():
        body[field] = [as_text(item) for item in body[field]] if isinstance(body[field], list) else as_text(body[field])
    try:
        msgspec.convert(body, kind.body)
    except msgspec.ValidationError as error:
        raise ExpressionError(f"evaluated, {schema_problem(error, kind.name)}") from None
    return body


def check_sizes(values: Mapping[str, Any], where: str) -> None:
    """Raises ExpressionError for a value that is too large to be a parameter."""
    for name, value in values.items():
        if not isinstance(value, bool | int | float) and value is not None:
            size = len(msgspec.json.encode(value))
            if size > LARGEST:
                raise ExpressionError(
                    f"{where}.{name} has {size} bytes; a parameter has at most {LARGEST}: pass it as an artifact"
                )


def _variable(variable: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**variable, "value": as_text(variable["value"])} if "value" in variable else variable

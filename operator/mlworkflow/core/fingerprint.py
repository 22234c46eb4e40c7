"""What a task runs from, as a short text: equal texts, equal work. It tells whether an edit of the workflow concerns a task that has ended."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import UNSET

from mlworkflow.core.actions import Order
from mlworkflow.core.graph import expressions_of
from mlworkflow.core.nodes import Node
from mlworkflow.core.state import PENDING
from mlworkflow.core.step import Step
from mlworkflow.core.view import View


def of_order(order: Order) -> str:
    """Of an attempt: what is run, and on what. Not how much of the cluster it may use, nor how often it is tried."""
    outputs = {name: [output.type, output.optional] for name, output in order.outputs.items()}
    inputs = {name: artifact.digest for name, artifact in order.inputs.items()}
    return _short([order.step.kind.name, order.spec, order.params, order.image, list(order.env), inputs, outputs])


def of_composed(view: View, node: Node) -> str:
    """Of a task that is made of others: the step as it is written, and all that it takes from around it. Of a trial that is what it runs and is given:
    how many others there are, and what they may try, makes no difference to it.
    """
    names, whole = view.names(node), node.owner if node.trial is None else node.step
    params = names["params"]
    used = [name for name in sorted(params) if any(_reads(step, name) for step in whole.within())]
    taken: dict[str, Any] = {}
    for step in {id(step): step for step in (node.owner, *whole.within())}.values():
        for source, output in (pair for each in step.inputs.values() for pair in each.sources):
            if artifact := _around(view, node, source).artifacts.get(output):
                taken[f"{source}.{output}"] = artifact.digest
    for step in whole.within():
        for _, expression in expressions_of(step):
            for use in expression.steps:
                task = _around(view, node, use.step)
                taken[use.step] = [task.phase, task.parameters if use.field != "phase" else None]
    image = "" if whole.common.image is UNSET else whole.common.image
    place = [names.get(name) for name in ("item", "trial")]
    given = [] if node.trial is None else [view.field("params", node.owner.params, names)]
    return _short([whole.raw, image, {key: params[key] for key in used}, taken, place, *given])


def _around(view: View, node: Node, name: str) -> Any:
    task = view.nodes.resolve(node.scope, name) or view.nodes.resolve(node.scope, name.replace("_", "-"))
    return view.tasks.get(task or "", PENDING)


def _reads(step: Step, name: str) -> bool:
    """Whether an expression of a step may read a parameter."""
    return any(
        "params" in expression.roots and (expression.parameters is None or name in expression.parameters)
        for _, expression in expressions_of(step)
    )


def _short(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]

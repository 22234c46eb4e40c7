"""From a task to an `Order`: expressions evaluated, inputs pinned. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET

from mlworkflow.core.actions import Order
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import as_text, render
from mlworkflow.core.model import Step, Workflow, schema_problem
from mlworkflow.core.state import PENDING, Task, step_of, trial_number
from mlworkflow.core.study import study_of, trial_params
from mlworkflow.core.values import ArtifactRef

Names: TypeAlias = Mapping[str, Any]


class _Steps(Mapping[str, Any]):
    """`steps` in expressions: of thousands, an expression looks at a few, so that each is made when it is looked at."""

    __slots__ = ("_tasks", "_workflow")

    def __init__(self, workflow: Workflow, tasks: Mapping[str, Task]) -> None:
        self._workflow, self._tasks = workflow, tasks

    def __getitem__(self, name: str) -> Any:
        known = name if name in self._workflow.steps else name.replace("_", "-")
        if known not in self._workflow.steps:
            raise KeyError(name)
        task = self._tasks.get(known, PENDING)
        view: dict[str, Any] = {"phase": str(task.phase), "outputs": task.parameters}
        if self._workflow.steps[known].trial and "best" in task.parameters:
            view["best"] = task.parameters["best"]
        return view

    def __iter__(self) -> Iterator[str]:
        return iter(
            dict.fromkeys(spelling for name in self._workflow.steps for spelling in (name, name.replace("-", "_")))
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)


def names(workflow: Workflow, tasks: Mapping[str, Task], trial: Mapping[str, Any] | None = None) -> Names:
    """What expressions can name. What has a dash in its name is there under an underscore too."""
    values: dict[str, Any] = {
        "params": {**{name.replace("-", "_"): value for name, value in workflow.params.items()}, **workflow.params},
        "steps": _Steps(workflow, tasks),
        "workflow": {"name": workflow.name, "namespace": workflow.namespace, "uid": workflow.uid},
    }
    if trial is not None:
        values["trial"] = trial
    return values


def order(workflow: Workflow, tasks: Mapping[str, Task], task: str, attempt: int) -> Order:
    """The order for one attempt of a task.

    Raises ExpressionError, whose message begins with the field; KeyError for an input that its step did not leave.
    """
    owner = workflow.steps[step_of(task)]
    number = trial_number(task)
    trial: dict[str, Any] | None = (
        None
        if number is None
        else {"number": number, "params": trial_params(study_of(owner, names(workflow, tasks)), number)}
    )
    step = owner.trial if trial is not None and owner.trial else owner
    scope = names(workflow, tasks, trial)
    params = dict(_field("params", step.params, scope))
    body = dict(_field(step.kind.name, step.body, scope))
    if trial is not None:
        params = {**_field("params", owner.params, scope), **params, **trial["params"]}
        if merged := step.kind.takes_trial_params:
            body[merged] = {**body.get(merged, {}), **trial["params"]}
    for field in step.kind.text_fields & body.keys():
        body[field] = [as_text(item) for item in body[field]] if isinstance(body[field], list) else as_text(body[field])
    try:
        msgspec.convert(body, step.kind.body)
    except msgspec.ValidationError as error:
        raise ExpressionError(f"evaluated, {schema_problem(error, step.kind.name)}") from None
    image = "" if step.common.image is UNSET else step.common.image
    return Order(
        workflow=workflow.name,
        namespace=workflow.namespace,
        uid=workflow.uid,
        step=step,
        task=task,
        attempt=attempt,
        spec=body,
        params=params,
        inputs=inputs_of(owner, tasks),
        outputs=step.outputs,
        image=body.get("image") or as_text(_field("image", image, scope)),
        env=()
        if step.common.env is UNSET
        else tuple(_variable(variable) for variable in _field("env", step.common.env, scope)),
        resources={} if step.common.resources is UNSET else _field("resources", step.common.resources, scope),
    )


def inputs_of(step: Step, tasks: Mapping[str, Task]) -> dict[str, ArtifactRef]:
    """A step's inputs, pinned. KeyError for one that its step did not leave."""
    return {name: tasks[source.step].artifacts[source.output] for name, source in step.inputs.items()}


def condition(workflow: Workflow, step: Step, tasks: Mapping[str, Task]) -> bool:
    """Whether a step's `when` holds. Raises ExpressionError."""
    if not step.when:
        return True
    value = _field("when", step.when, names(workflow, tasks))
    if not isinstance(value, bool):
        raise ExpressionError(f"when: '{step.when}' is {type(value).__name__}, not true or false")
    return value


def _variable(variable: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**variable, "value": as_text(variable["value"])} if "value" in variable else variable


def _field(field: str, value: Any, scope: Names) -> Any:
    try:
        return render(value, scope)
    except ExpressionError as error:
        raise ExpressionError(f"{field}: {error}") from None

"""Groups: what becomes of one when its steps have ended."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from mlworkflow.core import paths
from mlworkflow.core.actions import Publish
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.fields import Output
from mlworkflow.core.fingerprint import of_composed
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.orders import check_sizes
from mlworkflow.core.policies.dependencies import is_forgiven
from mlworkflow.core.state import Phase, Task
from mlworkflow.core.turn import Turn
from mlworkflow.core.values import ArtifactRef


def settle_group(turn: Turn, group: Node, at: str) -> None:
    """A failure fails the group, which `retry` may try again; else it passes on what its outputs say."""
    if turn.task(group.task).phase is not Phase.RUNNING:
        return
    if group.inner is None or not turn.has_ended(group.inner, at):
        return
    tasks = {name: turn.task(paths.child(at, name)) for name in group.step.steps}
    nodes = {name: turn.node(paths.child(at, name)) for name in tasks}
    if failed := first_failure(nodes, tasks):
        turn.fail(group.task, Reason.STEP_FAILED, told(failed, tasks[failed]))
        return
    try:
        parameters = _parameters(turn, group, at)
        artifacts = _artifacts(group, tasks)
    except ExpressionError as error:
        turn.fail(group.task, Reason.EXPRESSION_ERROR, str(error), retriable=False)
    except KeyError as missing:
        turn.fail(group.task, Reason.ARTIFACT_MISSING, f"there is no {missing} to pass on", retriable=False)
    else:
        attempt, fingerprint = turn.task(group.task).attempt, of_composed(turn.view, group)
        params = {} if group.trial is None else turn.view.trial_params(group)
        turn.ask(
            Publish(
                group.step, group.task, attempt, parameters, reuse=artifacts, params=params, fingerprint=fingerprint
            )
        )


def first_failure(nodes: dict[str, Node], tasks: dict[str, Task]) -> str | None:
    """The step that failed first: the cause of everything after it."""
    failed = [name for name, task in tasks.items() if task.phase is Phase.FAILED and not is_forgiven(nodes[name], task)]
    return min(failed, key=lambda name: tasks[name].finished_at or 0.0, default=None)


def told(name: str, task: Task) -> str:
    """A step's failure in one sentence."""
    line = task.message.strip().partition("\n")[0]
    return f"step '{name}' failed: {task.reason}{': ' + line if line else ''}"


def _parameters(turn: Turn, group: Node, at: str) -> dict[str, Any]:
    names = turn.view.names_inside(group, at)
    values = {
        name: turn.view.field(f"outputs.{name}.value", output.value, names)
        for name, output in group.step.outputs.items()
        if output.value is not UNSET
    }
    check_sizes(values, "outputs")
    return values


def _artifacts(group: Node, tasks: dict[str, Task]) -> dict[str, ArtifactRef]:
    found = {}
    for name, output in group.step.outputs.items():
        if output.from_ is not UNSET:
            artifact = _first(output, tasks)
            if artifact is not None:
                found[name] = artifact
            elif not output.optional:
                raise KeyError(name)
    return found


def _first(output: Output, tasks: dict[str, Task]) -> ArtifactRef | None:
    """The first source of an output that exists."""
    for step, name in output.sources:
        task = tasks.get(step, Task())
        if task.phase is Phase.SUCCEEDED and name in task.artifacts:
            return task.artifacts[name]
    return None

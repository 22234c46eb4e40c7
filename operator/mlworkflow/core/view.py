"""What expressions see: the names of a place in the workflow, and the inputs that a step finds there. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec import UNSET

from mlworkflow.core import paths
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import render
from mlworkflow.core.fields import Input
from mlworkflow.core.items import items_of
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.model import Workflow
from mlworkflow.core.nodes import Node, Nodes
from mlworkflow.core.state import PENDING, Phase, Task, Verdict
from mlworkflow.core.study import grid_points, study_of
from mlworkflow.core.values import ArtifactRef

Names: TypeAlias = Mapping[str, Any]


class _Steps(Mapping[str, Any]):
    """`steps` in expressions: of thousands, an expression looks at a few, so that each is made when it is looked at."""

    __slots__ = ("_scope", "_view")

    def __init__(self, view: View, scope: str) -> None:
        self._view, self._scope = view, scope

    def __getitem__(self, name: str) -> Any:
        resolve = self._view.nodes.resolve
        task = resolve(self._scope, name) or resolve(self._scope, name.replace("_", "-"))
        if task is None:
            raise KeyError(name)
        state = self._view.tasks.get(task, PENDING)
        shown: dict[str, Any] = {
            "phase": str(state.phase),
            "reason": state.reason,
            "message": state.message,
            "attempts": state.attempt + 1,
            "outputs": state.parameters,
        }
        if "best" in state.parameters and self._view.nodes[task].owner.trial:
            shown["best"] = state.parameters["best"]
        return shown

    def __iter__(self) -> Iterator[str]:
        visible = self._view.nodes.visible(self._scope)
        return iter(dict.fromkeys(spelling for name in visible for spelling in (name, name.replace("-", "_"))))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(slots=True)
class View:
    """A workflow and the state of its tasks, to be looked at from any place in it. `verdict` is there once the end has begun."""

    workflow: Workflow
    nodes: Nodes
    tasks: Mapping[str, Task]
    verdict: Verdict | None = None
    _items: dict[str, list[Any]] = field(default_factory=dict)  # do not change while their step runs
    _studies: dict[str, Tune] = field(default_factory=dict)
    _grids: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def names(self, node: Node) -> dict[str, Any]:
        """The names in the fields of a task's step."""
        return self._names(node.scope, node)

    def names_inside(self, group: Node, scope: str) -> dict[str, Any]:
        """The names among the steps of a group, for what it passes on."""
        return self._names(scope, group) | {"params": self._params(group)}

    def _names(self, scope: str, node: Node) -> dict[str, Any]:
        workflow = self.workflow
        own = {"name": workflow.name, "namespace": workflow.namespace, "uid": workflow.uid}
        if self.verdict:
            own |= {
                "phase": str(self.verdict.phase),
                "reason": self.verdict.reason,
                "message": self.verdict.message,
            }
        group = next((above for above in node.chain() if above.scope != node.scope), None)
        values: dict[str, Any] = {
            "params": self._params(group),
            "steps": _Steps(self, scope),
            "workflow": own,
        }
        for place in node.chain():
            if place.item is not None and place.above and "item" not in values:
                values |= {"item": self._item(place.above, place.item), "index": place.item}
            if place.trial is not None and "trial" not in values:
                values["trial"] = {"number": place.trial, "params": self.trial_params(place)}
        return values

    def _params(self, group: Node | None) -> dict[str, Any]:
        """`params` among the steps of a group (None: of the workflow): those of the workflow, and over them those of each group around."""
        if group is None:
            return both_spellings(self.workflow.params)
        names = self.names(group)
        own = self.field("params", group.step.params, names)
        if group.trial is not None:
            own = {**self.field("params", group.owner.params, names), **own, **names["trial"]["params"]}
        return {**names["params"], **both_spellings(own)}

    def items(self, fan: Node) -> list[Any]:
        """The items of a step with `forEach`. Raises ExpressionError."""
        if fan.task not in self._items:
            assert fan.step.for_each is not None
            names = self.names(fan)
            self._items[fan.task] = items_of(fan.step.for_each, lambda value: render(value, names))
        return self._items[fan.task]

    def _item(self, fan: Node, index: int) -> Any:
        items = self.items(fan)
        if index >= len(items):
            raise ExpressionError(f"forEach: there is no item {index} any more, the list has {len(items)}")
        return items[index]

    def trial_params(self, trial: Node) -> Mapping[str, Any]:
        """The parameters of a trial: those of a grid's point, else what was chosen for it; none before that. Raises ExpressionError."""
        assert trial.above is not None
        assert trial.trial is not None
        study = self.study(trial.above)
        if study.algorithm.grid is UNSET:
            return self.tasks.get(trial.task, PENDING).params
        points = self.grid(trial.above)
        if trial.trial >= len(points):
            raise ExpressionError(f"there is no trial {trial.trial} any more, the grid has {len(points)}")
        return dict(sorted({**study.fixed, **points[trial.trial]}.items()))

    def study(self, node: Node) -> Tune:
        """The body of a tune step, evaluated. Raises ExpressionError."""
        if node.task not in self._studies:
            self._studies[node.task] = study_of(node.step, self.names(node))
        return self._studies[node.task]

    def grid(self, node: Node) -> list[dict[str, Any]]:
        """The points of a grid's trials. Raises ExpressionError."""
        if node.task not in self._grids:
            study = self.study(node)
            numbers = range(min(int(study.trials.max), len(self.tasks)))
            states = {number: self.tasks.get(paths.numbered(node.task, number), PENDING) for number in numbers}
            tried = {number: task.params for number, task in states.items() if task.params}
            self._grids[node.task] = grid_points(study, self.names(node), tried)
        return self._grids[node.task]

    def field(self, field: str, value: Any, names: Names) -> Any:
        """A field with its expressions evaluated. Raises ExpressionError that begins with the field."""
        try:
            return render(value, names)
        except ExpressionError as error:
            raise ExpressionError(f"{field}: {error}") from None

    def condition(self, node: Node) -> bool:
        """Whether the `when` of a task's step holds. Raises ExpressionError."""
        if not node.owner.when:
            return True
        value = self.field("when", node.owner.when, self.names(node))
        if not isinstance(value, bool):
            raise ExpressionError(f"when: '{node.owner.when}' is {type(value).__name__}, not true or false")
        return value

    def inputs(self, node: Node) -> dict[str, ArtifactRef]:
        """The inputs of a task, pinned. KeyError for one that is not there and must be."""
        found = {name: self.input(node, name, source) for name, source in node.owner.inputs.items()}
        return {name: artifact for name, artifact in found.items() if artifact is not None}

    def input(self, node: Node, name: str, source: Input) -> ArtifactRef | None:
        """One input: the first of its sources that exists, else its default; None for an optional one that is not there."""
        for step, output in source.sources:
            task = self.tasks.get(self.nodes.resolve(node.scope, step) or "", PENDING)
            if task.phase is Phase.SUCCEEDED and output in task.artifacts:
                return task.artifacts[output]
        if source.default is not UNSET:
            return _pinned(literal(source))
        if source.optional:
            return None
        raise KeyError(" or ".join(".".join(pair) for pair in source.sources))

    def literals(self, node: Node) -> dict[str, bytes]:
        """The contents of inputs that come from their `default`, by digest."""
        contents = {}
        for name, source in node.owner.inputs.items():
            if source.default is not UNSET and (artifact := self.input(node, name, source)):
                content = literal(source)
                if artifact.digest == _pinned(content).digest:
                    contents[artifact.digest] = content
        return contents


def literal(source: Input) -> bytes:
    """The file that an input's default stands for."""
    value = source.default
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)).encode()


def _pinned(content: bytes) -> ArtifactRef:
    """A file of this content, as a reference."""
    return ArtifactRef(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), "file")


def both_spellings(params: Mapping[str, Any]) -> dict[str, Any]:
    """What has a dash in its name is there under an underscore too."""
    return {**{name.replace("-", "_"): value for name, value in params.items()}, **params}

"""What each task is: a place in the workflow, filled. Found from its id alone, so that a task of a status, a Pod or a record needs no other witness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from mlworkflow.core import paths
from mlworkflow.core.fields import Lock
from mlworkflow.core.graph import Graph, Scope
from mlworkflow.core.model import Workflow
from mlworkflow.core.step import Step


class Role(Enum):
    """What a task does. All but a unit are composed of other tasks, of a person's answer, of what a name stands for or of a move of one, and have no attempt to watch."""

    UNIT = "unit"
    FAN = "fan"  # a step with forEach, as a whole
    STUDY = "study"
    GROUP = "group"
    APPROVAL = "approval"
    NAMED = "named"  # a dataset or a model
    PROMOTION = "promotion"


@dataclass(frozen=True, slots=True)
class Node:
    """One task's place.

    `owner` is the step as it stands in the workflow, `step` is what the task runs: the same, but for a trial. `scope` is where the step's siblings
    are, `above` the task that this one is part of. `item` and `trial` are its numbers within a fan and a study.
    """

    task: str
    role: Role
    step: Step
    owner: Step
    scope: str
    above: Node | None = None
    item: int | None = None
    trial: int | None = None
    inner: Scope | None = None

    def chain(self) -> Iterator[Node]:
        """This one and all above, the nearest first."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.above

    @property
    def whole_trial(self) -> Node | None:
        """The trial that this task is, or is part of."""
        return next((node for node in self.chain() if node.trial is not None), None)

    @property
    def is_unit(self) -> bool:
        return self.role is Role.UNIT

    @property
    def may_share(self) -> bool:
        """Whether it is a trial that may share a Pod with others."""
        return self.trial is not None and self.is_unit and shares_pods(self.owner)

    @property
    def locks(self) -> tuple[Lock, ...]:
        """What the task holds while it runs. With `forEach` each item holds the step's locks, not the whole of them."""
        return () if self.role is Role.FAN else self.step.locks


def shares_pods(step: Step) -> bool:
    """Whether a step is a search whose trials may share Pods."""
    return step.body.get("trials", {}).get("perPod", 1) != 1 if step.trial else False


_NONE: Mapping[str, Step] = {}


class Nodes:
    """The nodes of one workflow by task, made when they are asked for."""

    def __init__(self, workflow: Workflow, graph: Graph) -> None:
        self._workflow, self._graph = workflow, graph
        self._root = workflow.all_steps()
        self._found: dict[str, Node | None] = {}
        self._counted: dict[int, dict[str, int]] = {}  # by the identity of mappings that live as long as the workflow

    def __getitem__(self, task: str) -> Node:
        if (node := self.get(task)) is None:
            raise KeyError(task)
        return node

    def get(self, task: str) -> Node | None:
        """The node of a task; None for an id that the workflow has no place for (any more)."""
        if task not in self._found:
            self._found[task] = self._find(task)
        return self._found[task]

    def resolve(self, scope: str, name: str) -> str | None:
        """The task of the step that `name` means in a scope: one of its own, else of those around it."""
        while True:
            if name in self._steps(scope):
                return paths.child(scope, name)
            if not scope:
                return None
            scope = paths.enclosing(scope)

    def visible(self, scope: str) -> Iterator[str]:
        """The names of the steps that can be named in a scope."""
        while True:
            yield from self._steps(scope)
            if not scope:
                return
            scope = paths.enclosing(scope)

    def position(self, task: str) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
        """A key that sorts tasks as the workflow is read: steps in their order, items by their number, and what is inside after what it is in."""
        key, scope = [], ""
        for level, part in zip(paths.segments(task), task.split("."), strict=True):
            places = self._places(self._steps(scope))
            key.append((places.get(level.step, len(places)), level.again, level.numbers))
            scope = paths.child(scope, part)
        return tuple(key)

    def _places(self, steps: Mapping[str, Step]) -> Mapping[str, int]:
        """Where each of some steps stands; counted once, for there may be thousands, and a scope of them per item."""
        if id(steps) not in self._counted:
            self._counted[id(steps)] = {name: place for place, name in enumerate(steps)}
        return self._counted[id(steps)]

    def _steps(self, scope: str) -> Mapping[str, Step]:
        if not scope:
            return self._root
        group = self.get(paths.group_of(scope))
        return group.step.steps if group else _NONE

    def _find(self, task: str) -> Node | None:
        levels = paths.segments(task)
        if not task or len(levels) != task.count(".") + 1 or levels[-1].again:
            return None
        own, scope, parent = levels[-1], paths.enclosing(task), paths.parent(task)
        above = None if parent is None else self.get(parent)
        if parent is not None and above is None:
            return None
        if not own.numbers:
            step = self._steps(scope).get(own.step)
            return None if step is None else self._whole(task, step, scope, above)
        assert above is not None
        if above.role is Role.FAN:
            return self._one(replace(above, task=task, above=above, item=own.numbers[-1]))
        if above.role is Role.STUDY and above.step.trial:
            trial = above.step.trial
            return _leaf(replace(above, task=task, step=trial, above=above, item=None, trial=own.numbers[-1]))
        return None

    def _whole(self, task: str, step: Step, scope: str, above: Node | None) -> Node:
        """The node of a step itself."""
        around = above.inner if above else self._graph.main if step.name in self._workflow.steps else self._graph.exit
        node = Node(task, Role.FAN, step, step, scope, above, inner=around.inner.get(step.name) if around else None)
        return node if step.for_each is not None else self._one(node)

    def _one(self, node: Node) -> Node:
        """A node that runs its step once."""
        return replace(node, role=Role.STUDY) if node.step.trial else _leaf(node)


def _leaf(node: Node) -> Node:
    role = Role.GROUP if node.step.steps else _OF_KIND.get(node.step.kind.name, Role.UNIT)
    return replace(node, role=role)


_OF_KIND = {"approve": Role.APPROVAL, "dataset": Role.NAMED, "model": Role.NAMED, "promote": Role.PROMOTION}

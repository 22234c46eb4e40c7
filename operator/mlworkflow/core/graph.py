"""The graph of a workflow's steps: what waits for what, and for what end of it. Pure, and ignorant of everything else.

Edges come from `inputs`, from expressions and from `after`. A group is a step of the graph around it, and has a graph of its own inside; it waits
for whatever its steps need from outside.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TypeAlias, cast

from msgspec import UNSET

from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import Expression, StepReference, split, walk
from mlworkflow.core.fields import ForEach
from mlworkflow.core.model import Workflow
from mlworkflow.core.step import Step

Steps: TypeAlias = Mapping[str, Step]

EVALUATED = ("image", "env", "resources")
"""The common fields of a step in which expressions are evaluated."""


OF_ANY_END = frozenset({"phase", "reason", "message", "attempts"})
"""What a step leaves in expressions however it ended."""


class Need(IntEnum):
    """What a step needs of one that it waits for; the higher includes the lower."""

    END = 1  # that it has ended, however
    ORDER = 2  # that it has ended as `runAfter` says
    SUCCESS = 3


@dataclass(frozen=True, slots=True)
class Scope:
    """Steps that see each other. `order` is topological, stable in the order of the YAML; `needs[name]` says what `name` waits for; `inner` are
    the scopes of the groups among them. `places` and `followers` are both the other way round: where in the order each is, and who waits for it.
    `averse` are those to which it is not enough that what they come after has succeeded.
    """

    order: tuple[str, ...] = ()
    needs: Mapping[str, Mapping[str, Need]] = field(default_factory=dict)
    inner: Mapping[str, Scope] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    followers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    averse: frozenset[str] = frozenset()

    def parents(self, name: str) -> tuple[str, ...]:
        return tuple(self.needs[name])


@dataclass(frozen=True, slots=True)
class Graph:
    """The scope of the workflow's own steps, and that of those for its end, which may need some of the former: all of them have ended by then."""

    main: Scope
    exit: Scope


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of another step: at which field (below the step), of which step and output, and what must be true of it."""

    path: str
    step: str
    output: str | None
    is_artifact: bool
    need: Need = Need.SUCCESS


def expressions_of(step: Step) -> Iterator[tuple[str, Expression]]:
    """Every expression of a step with its field's path. Expressions that do not parse are left out: validation reports them."""
    for path, text in strings_of(step):
        yield from ((path, part) for part in parts_of(text))


def parts_of(text: str) -> list[Expression]:
    """The expressions in a string; none where it does not parse."""
    try:
        return [part for part in split(text) if isinstance(part, Expression)]
    except ExpressionError:
        return []


def strings_of(step: Step) -> Iterator[tuple[str, str]]:
    """Every string of a step itself that holds an expression, with its field's path below the step. What is in a group or a trial is not of the step itself."""
    yield from walk(step.when, "when")
    yield from walk(step.params, "params")
    yield from walk(items_as_written(step), "forEach")
    for name, output in step.outputs.items() if step.steps else ():
        yield from walk(output.value, f"outputs.{name}.value")
    own = {
        key: value
        for key, value in step.body.items()
        if (key != "step" or not step.trial) and key not in step.kind.literal_fields
    }
    yield from () if step.steps else walk(own, step.kind.name)
    if step.retry.only is not UNSET:
        yield from walk(step.retry.only.expression, "retry.only.expression")
    for name in EVALUATED if not step.steps else ():
        yield from walk(getattr(step.common, name), name)


def items_as_written(step: Step) -> object:
    """What `forEach` says, as JSON."""
    each = step.for_each
    if not isinstance(each, ForEach):
        return each
    return next((value for value in (each.items, each.range, each.matrix) if value is not UNSET), None)


def references_of(step: Step, visible: Steps) -> Iterator[Reference]:
    """Every use of a step around it by `step`, and by what is in it."""
    for index, name in enumerate(step.after):
        yield Reference(f"after[{index}]", name, None, is_artifact=False, need=Need.ORDER)
    for name, source in step.inputs.items():
        need = Need.SUCCESS if source.is_required and len(source.sources) == 1 else Need.END
        for used, output in source.sources:
            yield Reference(f"inputs.{name}.from", used, output, is_artifact=True, need=need)
    for path, expression in expressions_of(step):
        # the values of a group's outputs are over its own steps
        if not (step.steps and path.startswith("outputs.")):
            yield from uses(path, expression, visible)
    if step.trial:
        for reference in references_of(step.trial, visible):
            yield replace(reference, path=f"tune.step.{reference.path}")
    for index, inner in enumerate(step.steps.values()):
        for reference in references_of(inner, nested(step.steps, visible)):
            if reference.step not in step.steps and reference.need is not Need.ORDER:
                yield replace(reference, path=f"steps[{index}].{reference.path}")


def nested(inner: Steps, outer: Steps) -> Steps:
    """The steps that can be named in a group: its own, and those around it."""
    return ChainMap(cast("dict[str, Step]", inner), cast("dict[str, Step]", outer))


def uses(path: str, expression: Expression, visible: Steps) -> Iterator[Reference]:
    """The steps that an expression reads."""
    for use in expression.steps:
        need = Need.END if use.field in OF_ANY_END or use.is_asked else Need.SUCCESS
        yield Reference(path, resolve(use, visible), use.output, is_artifact=False, need=need)


def resolve(reference: StepReference, steps: Steps) -> str:
    """The step's name that an expression means: CEL has no dash in identifiers, so ``steps.a_b`` reaches ``a-b``."""
    if reference.step in steps:
        return reference.step
    dashed = reference.step.replace("_", "-")  # a step's name has no underscore
    return dashed if dashed in steps else reference.step


def build(workflow: Workflow) -> Graph:
    """The graph of a workflow that validation found nothing wrong with (unknown steps are ignored here).

    Raises ValueError with a cycle as ``a -> b -> a``.
    """
    return Graph(_scope(workflow.steps, {}), _scope(workflow.on_exit, workflow.steps, at_exit=True))


def _scope(steps: Steps, around: Steps, *, at_exit: bool = False) -> Scope:
    visible = nested(steps, around) if around else steps
    waited_for = visible if at_exit else steps
    needs: dict[str, dict[str, Need]] = {}
    for name, step in steps.items():
        mine = needs[name] = {}
        for reference in references_of(step, visible):
            if reference.step in waited_for:
                need = Need.SUCCESS if _tells_absence(waited_for[reference.step]) else reference.need
                mine[reference.step] = max(need, mine.get(reference.step, Need.END))
    order: list[str] = []
    done: set[str] = set(around)
    for root in steps:
        _visit(root, needs, done, order)
    inner = {name: _scope(group.steps, visible) for name, step in steps.items() if (group := step.trial or step).steps}
    followers: dict[str, list[str]] = {}
    for name in order:
        for parent in needs[name]:
            followers.setdefault(parent, []).append(name)
    return Scope(
        tuple(order),
        needs,
        inner,
        {name: place for place, name in enumerate(order)},
        {name: tuple(waiting) for name, waiting in followers.items()},
        frozenset(name for name, step in steps.items() if "Succeeded" not in step.run_after),
    )


def _tells_absence(step: Step) -> bool:
    """Whether a step succeeds where there is nothing: its failure must not pass for that, or a champion that cannot be had would be none to be beaten."""
    return step.kind.name == "model" and bool(step.body.get("optional"))


def _visit(root: str, needs: Mapping[str, Mapping[str, Need]], done: set[str], order: list[str]) -> None:
    """Depth first without recursion: a chain of 10,000 steps is deeper than Python's stack."""
    if root in done:
        return
    path: dict[str, Iterator[str]] = {root: iter(needs[root])}
    while path:
        name = next(reversed(path))
        for parent in path[name]:
            if parent in path:
                names = list(path)
                raise ValueError(" -> ".join([*names[names.index(parent) :], parent][::-1]))
            if parent not in done:
                path[parent] = iter(needs[parent])
                break
        else:
            del path[name]
            done.add(name)
            order.append(name)

"""The graph of a workflow's steps: what waits for what. Pure, and ignorant of everything else.

Edges come from `inputs`, from expressions and from `after`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import Expression, StepReference, split, walk
from mlworkflow.core.model import Step, Workflow

EVALUATED = ("image", "env", "resources")
"""The common fields of a step in which expressions are evaluated."""


@dataclass(frozen=True, slots=True)
class Graph:
    """`order` is topological, stable in the order of the YAML; `parents[name]` are the steps that `name` waits for."""

    order: tuple[str, ...]
    parents: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of another step: by whom, at which field (below the step), of which step and output."""

    path: str
    step: str
    output: str | None
    is_artifact: bool


def expressions_of(step: Step) -> Iterator[tuple[str, Expression]]:
    """Every expression of a step with its field's path. Expressions that do not parse are left out: validation reports them."""
    for path, text in strings_of(step):
        try:
            parts = split(text)
        except ExpressionError:
            continue
        for part in parts:
            if isinstance(part, Expression):
                yield path, part


def strings_of(step: Step) -> Iterator[tuple[str, str]]:
    """Every string of a step that holds an expression, with its field's path below the step."""
    yield from walk(step.when, "when")
    yield from walk(step.params, "params")
    own = (
        {key: value for key, value in step.body.items() if key != "step"} if step.trial else step.body
    )  # a trial's strings are its own
    yield from walk(own, step.kind.name)
    for name in EVALUATED:
        yield from walk(getattr(step.common, name), name)


def references_of(step: Step, steps: Mapping[str, Step]) -> Iterator[Reference]:
    """Every use of another step by `step`."""
    for index, name in enumerate(step.after):
        yield Reference(f"after[{index}]", name, None, is_artifact=False)
    for name, source in step.inputs.items():
        yield Reference(f"inputs.{name}.from", source.step, source.output, is_artifact=True)
    for path, expression in expressions_of(step):
        for use in expression.steps:
            yield Reference(path, resolve(use, steps), use.output, is_artifact=False)
    if step.trial:
        for reference in references_of(step.trial, steps):
            yield replace(reference, path=f"tune.step.{reference.path}")


def resolve(reference: StepReference, steps: Mapping[str, Step]) -> str:
    """The step's name that an expression means: CEL has no dash in identifiers, so ``steps.a_b`` reaches ``a-b``."""
    if reference.step in steps:
        return reference.step
    dashed = reference.step.replace("_", "-")  # a step's name has no underscore
    return dashed if dashed in steps else reference.step


def build(workflow: Workflow) -> Graph:
    """The graph of a workflow that `validate.problems` found nothing wrong with (unknown steps are ignored here).

    Raises ValueError with a cycle as ``a -> b -> a``.
    """
    steps = workflow.steps
    parents = {
        name: tuple(
            dict.fromkeys(reference.step for reference in references_of(step, steps) if reference.step in steps)
        )
        for name, step in steps.items()
    }
    order: list[str] = []
    done: set[str] = set()
    for root in steps:
        _visit(root, parents, done, order)
    return Graph(tuple(order), parents)


def _visit(root: str, parents: Mapping[str, tuple[str, ...]], done: set[str], order: list[str]) -> None:
    """Depth first without recursion: a chain of 10,000 steps is deeper than Python's stack."""
    if root in done:
        return
    path: dict[str, Iterator[str]] = {root: iter(parents[root])}
    while path:
        name = next(reversed(path))
        for parent in path[name]:
            if parent in path:
                names = list(path)
                raise ValueError(" -> ".join([*names[names.index(parent) :], parent][::-1]))
            if parent not in done:
                path[parent] = iter(parents[parent])
                break
        else:
            del path[name]
            done.add(name)
            order.append(name)

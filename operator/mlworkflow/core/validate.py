"""Is this workflow sound? Everything that can be known before a Pod exists is found here, all of it in one pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from msgspec import UNSET

from mlworkflow.core import graph, names
from mlworkflow.core.errors import ExpressionError, Problem, SpecError
from mlworkflow.core.expressions import OPEN, ROOTS, WHOLE, Expression, outside_strings, split, walk
from mlworkflow.core.fields import Common, ForEach, Input
from mlworkflow.core.graph import Steps
from mlworkflow.core.items import MOST
from mlworkflow.core.model import EXITS, Workflow
from mlworkflow.core.orders import LARGEST, check_sizes
from mlworkflow.core.step import Step

_ENDING = re.compile(r"(?<![.\w])workflow\s*\.\s*(phase|reason|message)\b")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where steps stand: the field that holds them, the steps that can be named there, and the names that expressions have beside the common ones."""

    path: str
    own: Steps
    visible: Steps
    roots: frozenset[str]
    params: Mapping[str, object]
    at_exit: bool = False


def check(workflow: Workflow) -> graph.Graph:
    """The graph of a sound workflow. Raises SpecError with every problem."""
    problems = [*_params(workflow)]
    main = _Place("spec.steps", workflow.steps, workflow.steps, ROOTS, workflow.params)
    problems += _steps(main)
    for when in EXITS:
        own = {name: step for name, step in workflow.on_exit.items() if workflow.exit_lists[name] == when}
        visible = workflow.all_steps()
        problems += _steps(_Place(f"spec.onExit.{when}", own, visible, ROOTS, workflow.params, at_exit=True))
        for name in own.keys() & workflow.steps.keys():
            problems.append(Problem(f"spec.onExit.{when}", f"'{name}' is the name of a step in spec.steps too"))
    try:
        result = graph.build(workflow)
    except ValueError as cycle:
        problems.append(Problem("spec.steps", f"the steps wait for each other in a circle: {cycle}"))
    if problems:
        raise SpecError(problems)
    return result


def _params(workflow: Workflow) -> Iterator[Problem]:
    try:
        check_sizes(workflow.params, "spec.params")
    except ExpressionError as error:
        name = str(error).partition(" ")[0]
        yield Problem(name, f"is larger than {LARGEST} bytes: pass it as an artifact")


def _steps(place: _Place) -> Iterator[Problem]:
    written = (step for step in place.own.values() if not step.stands_for)
    for index, step in enumerate(written):
        yield from _step(step, place, f"{place.path}[{index}]")


def _step(step: Step, place: _Place, path: str) -> Iterator[Problem]:
    roots = place.roots
    within = roots | {"item", "index"} if step.for_each is not None else roots
    yield from _inputs(step, path)
    yield from _use(step, step.inputs, step.params, path)
    yield from _names(step, path)
    yield from _items(step, path)
    yield from _expressions(step, replace(place, roots=within), path)
    yield from _references(step, place, path)
    if step.trial:
        yield from _expressions(step.trial, replace(place, roots=within | {"trial"}), f"{path}.tune.step")
        known = {**place.params, **step.params, **step.body["space"], **step.body.get("fixed", {})}
        chosen = dict.fromkeys(step.body["space"], OPEN)  # as an expression is: a value that nobody knows yet
        given = {**step.params, **step.trial.params, **step.body.get("fixed", {}), **chosen}
        yield from _use(step.trial, step.inputs, given, f"{path}.tune.step")
        yield from _inside(step.trial, replace(place, roots=within | {"trial"}, params=known), f"{path}.tune.step")
    yield from _inside(step, replace(place, roots=within), path)


def _inside(group: Step, place: _Place, path: str) -> Iterator[Problem]:
    """The steps of a group, and what it passes on from them."""
    if not group.steps:
        return
    for name in group.steps.keys() & place.visible.keys():
        yield Problem(
            f"{path}.steps", f"'{name}' is the name of a step around the group too: names are found from inside out"
        )
    inner = replace(
        place,
        path=f"{path}.steps",
        own=group.steps,
        visible=graph.nested(group.steps, place.visible),
        params={**place.params, **group.params},
    )
    yield from _steps(inner)
    for name, output in group.outputs.items():
        where = f"{path}.outputs.{name}"
        for step, artifact in output.sources:
            reference = graph.Reference("from", step, artifact, is_artifact=True)
            yield from _reference(reference, replace(inner, visible=group.steps), f"{where}.from")
        for at, text in walk(output.value, "value"):
            for expression in graph.parts_of(text):
                yield from _known_names(expression, inner, f"{where}.{at}")
                for use in graph.uses(at, expression, inner.visible):
                    yield from _reference(use, inner, f"{where}.{at}")


def _inputs(step: Step, path: str) -> Iterator[Problem]:
    kind = (step.trial or step).kind
    for name in kind.inputs:
        if name not in step.inputs:
            yield Problem(
                f"{path}.inputs.{name}",
                f"a {kind.name} step needs the input '{name}': inputs: {{{name}: {{from: <step>.<output>}}}}",
            )


def _use(step: Step, inputs: Mapping[str, Input], params: Mapping[str, object], path: str) -> Iterator[Problem]:
    for at, message in step.kind.check_use(step, inputs, params):
        yield Problem(f"{path}.{at}", message)


def _names(step: Step, path: str) -> Iterator[Problem]:
    for field in ("inputs", "outputs", "params"):
        for name in getattr(step, field):
            if not re.fullmatch(names.FIELD_NAME, name):
                yield Problem(
                    f"{path}.{field}.{name}",
                    "a name has letters, digits, dashes and underscores, and begins with a letter",
                )
    for name, output in step.outputs.items():
        if output.is_artifact and name in names.RESERVED_OUTPUTS:
            yield Problem(
                f"{path}.outputs.{name}",
                f"the names {', '.join(sorted(names.RESERVED_OUTPUTS))} are not free for artifacts",
            )


def _items(step: Step, path: str) -> Iterator[Problem]:
    """`forEach` as far as it is literal."""
    each = step.for_each
    for where, value in _lists(each):
        if isinstance(value, str) and not re.fullmatch(WHOLE, value):
            yield Problem(f"{path}.{where}", "is a list, or one whole expression that gives one: ${{ … }}")
    if isinstance(each, list) and len(each) > MOST:
        yield Problem(f"{path}.forEach", f"has {len(each)} items; the most are {MOST}")
    if isinstance(each, ForEach):
        given = [name for name in ("items", "range", "matrix") if getattr(each, name) is not UNSET]
        if len(given) != 1:
            yield Problem(
                f"{path}.forEach",
                f"name exactly one of: items, range, matrix; this names {' and '.join(given) or 'none'}",
            )


def _lists(each: object) -> Iterator[tuple[str, object]]:
    """The places of `forEach` that hold a list or an expression."""
    if isinstance(each, str):
        yield "forEach", each
    if isinstance(each, ForEach):
        yield "forEach.items", each.items
        if each.matrix is not UNSET:
            yield from ((f"forEach.matrix.{name}", values) for name, values in each.matrix.items())


def _expressions(step: Step, place: _Place, path: str) -> Iterator[Problem]:
    if step.when and OPEN not in step.when:
        yield Problem(f"{path}.when", f"is not an expression: write ${{{{ {step.when} }}}}")
    for field in sorted(set(Common.__struct_fields__) - {*graph.EVALUATED, "retry"}):
        for where, _ in walk(getattr(step.common, field), field):
            yield Problem(
                f"{path}.{where}",
                f"an expression is not evaluated here; it is in params, when, forEach, {', '.join(graph.EVALUATED)} and the kind's own fields",
            )
    for where, text in graph.strings_of(step):
        try:
            split(text)
        except ExpressionError as error:
            yield Problem(f"{path}.{where}", str(error))
    for where, expression in graph.expressions_of(step):
        if where.startswith("outputs.") and step.steps:
            continue  # over the group's own steps: see `_inside`
        more = {"last"} if where.startswith("retry.") else {"trial"} if where.startswith("tune.constraints") else set()
        less = {"item", "index"} if where.startswith("forEach") else set()
        yield from _known_names(expression, replace(place, roots=(place.roots | more) - less), f"{path}.{where}")


def _known_names(expression: Expression, place: _Place, where: str) -> Iterator[Problem]:
    if unknown := sorted(expression.roots - place.roots):
        yield Problem(
            where,
            f"'{expression.source}': unknown name '{unknown[0]}'; known are {', '.join(sorted(place.roots))}{_dash_hint(unknown[0], place)}",
        )
    if not place.at_exit and (found := _ENDING.search(outside_strings(expression.source))):
        yield Problem(where, f"'{expression.source}': workflow.{found[1]} is known in the steps of onExit only")
    if "has(" in outside_strings(expression.source):
        return
    for name in sorted(expression.parameters or ()):
        if name not in place.params and name.replace("_", "-") not in place.params:
            yield Problem(where, f"'{expression.source}': spec.params has no '{name}'")


def _references(step: Step, place: _Place, path: str) -> Iterator[Problem]:
    for reference in graph.references_of(step, place.visible):
        where = f"{path}.{reference.path}"
        if reference.path.startswith(("steps[", "tune.step.steps[")):
            continue  # found where the inner step itself is looked at
        if reference.step == step.name:
            yield Problem(where, f"step '{step.name}' refers to itself")
        elif (
            reference.path.startswith("after[") and reference.step in place.visible and reference.step not in place.own
        ):
            if not place.at_exit:
                yield Problem(
                    where, f"step '{reference.step}' is outside of this group: let the group itself come after it"
                )
        else:
            yield from _reference(reference, place, where)


def _reference(reference: graph.Reference, place: _Place, where: str) -> Iterator[Problem]:
    if reference.step not in place.visible:
        yield Problem(
            where,
            f"there is no step '{reference.step}'{_dash_hint(reference.step, place)}; the steps are {', '.join(place.visible)}",
        )
    elif reference.output is not None:
        yield from _output(place.visible[reference.step], reference, where)


def _output(source: Step, reference: graph.Reference, where: str) -> Iterator[Problem]:
    output = source.outputs.get(reference.output or "")
    if output is None:
        if reference.is_artifact or not source.kind.open_parameters:
            known = [name for name, output in source.outputs.items() if output.is_artifact == reference.is_artifact]
            hint = f"it has {', '.join(known)}" if known else "it declares none"
            yield Problem(
                where,
                f"step '{source.name}' has no {'artifact' if reference.is_artifact else 'output parameter'} '{reference.output}'; {hint}",
            )
    elif output.is_artifact and not reference.is_artifact:
        yield Problem(
            where,
            f"'{source.name}.{reference.output}' is an artifact, not a parameter: take it by inputs: {{…: {{from: {source.name}.{reference.output}}}}}",
        )
    elif reference.is_artifact and not output.is_artifact:
        yield Problem(
            where,
            f"'{source.name}.{reference.output}' is a parameter, not an artifact: use ${{{{ steps.{source.name.replace('-', '_')}.outputs.{reference.output} }}}}",
        )


def _dash_hint(name: str, place: _Place) -> str:
    """CEL reads ``steps.a-b`` as ``steps.a`` minus ``b``."""
    dashed = [step for step in place.visible if "-" in step and step.startswith(f"{name}-")]
    if not dashed:
        dashed = [step for step in place.visible if "-" in step and name in step.split("-")[1:]]
    if not dashed:
        return ""
    return f" (CEL reads a dash as minus: step '{dashed[0]}' is steps['{dashed[0]}'] or steps.{dashed[0].replace('-', '_')})"

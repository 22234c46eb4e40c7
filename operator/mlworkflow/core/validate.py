"""Is this workflow sound? Everything that can be known before a Pod exists is found here, all of it in one pass."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlworkflow.core import graph, names
from mlworkflow.core.errors import ExpressionError, Problem, SpecError
from mlworkflow.core.expressions import OPEN, ROOTS, outside_strings, split, walk
from mlworkflow.core.fields import Common
from mlworkflow.core.model import Step, Workflow


def check(workflow: Workflow) -> graph.Graph:
    """The graph of a sound workflow. Raises SpecError with every problem."""
    problems: list[Problem] = []
    for index, step in enumerate(workflow.steps.values()):
        path = f"spec.steps[{index}]"
        problems += _inputs(step, path)
        problems += _names(step, path)
        problems += _expressions(step, workflow, path)
        problems += _references(step, workflow, path)
        if step.trial:
            problems += _expressions(step.trial, workflow, f"{path}.tune.step", in_trial=True)
    try:
        result = graph.build(workflow)
    except ValueError as cycle:
        problems.append(Problem("spec.steps", f"the steps wait for each other in a circle: {cycle}"))
    if problems:
        raise SpecError(problems)
    return result


def _inputs(step: Step, path: str) -> Iterator[Problem]:
    kind = (step.trial or step).kind
    for name in kind.inputs:
        if name not in step.inputs:
            yield Problem(
                f"{path}.inputs.{name}",
                f"a {kind.name} step needs the input '{name}': inputs: {{{name}: {{from: <step>.<output>}}}}",
            )


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


def _expressions(step: Step, workflow: Workflow, path: str, *, in_trial: bool = False) -> Iterator[Problem]:
    if step.when and OPEN not in step.when:
        yield Problem(f"{path}.when", f"is not an expression: write ${{{{ {step.when} }}}}")
    for field in sorted(set(Common.__struct_fields__) - set(graph.EVALUATED)):
        for where, _ in walk(getattr(step.common, field), field):
            yield Problem(
                f"{path}.{where}",
                f"an expression is not evaluated here; it is in params, when, {', '.join(graph.EVALUATED)} and the kind's own fields",
            )
    for where, text in graph.strings_of(step):
        try:
            split(text)
        except ExpressionError as error:
            yield Problem(f"{path}.{where}", str(error))
    allowed = ROOTS if in_trial else ROOTS - {"trial"}
    for where, expression in graph.expressions_of(step):
        if unknown := sorted(expression.roots - allowed):
            yield Problem(
                f"{path}.{where}",
                f"'{expression.source}': unknown name '{unknown[0]}'; known are {', '.join(sorted(allowed))}{_dash_hint(unknown[0], workflow)}",
            )
        for parameter in _parameters(expression.source):
            if parameter not in workflow.params and parameter.replace("_", "-") not in workflow.params:
                yield Problem(f"{path}.{where}", f"'{expression.source}': spec.params has no '{parameter}'")


_PARAMETER = re.compile(r"(?<![.\w])params\s*\.\s*([A-Za-z_]\w*)")


def _parameters(source: str) -> list[str]:
    names = outside_strings(source)
    return [] if "has(" in names else _PARAMETER.findall(names)


def _references(step: Step, workflow: Workflow, path: str) -> Iterator[Problem]:
    for reference in graph.references_of(step, workflow.steps):
        where = f"{path}.{reference.path}"
        if reference.step == step.name:
            yield Problem(where, f"step '{step.name}' refers to itself")
        elif reference.step not in workflow.steps:
            yield Problem(
                where,
                f"there is no step '{reference.step}'{_dash_hint(reference.step, workflow)}; the steps are {', '.join(workflow.steps)}",
            )
        elif reference.output is not None:
            yield from _output(workflow.steps[reference.step], reference, where)


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


def _dash_hint(name: str, workflow: Workflow) -> str:
    """CEL reads ``steps.a-b`` as ``steps.a`` minus ``b``."""
    dashed = [step for step in workflow.steps if "-" in step and step.startswith(f"{name}-")]
    if not dashed:
        dashed = [step for step in workflow.steps if "-" in step and name in step.split("-")[1:]]
    if not dashed:
        return ""
    return f" (CEL reads a dash as minus: step '{dashed[0]}' is steps['{dashed[0]}'] or steps.{dashed[0].replace('-', '_')})"

"""Whether a `python` step gives its function what it takes, as far as the code's text tells. Pure: the code is never run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.signature import Argument, CodeError, Signature, Unreadable, check_code, signature_of

if TYPE_CHECKING:
    from mlworkflow.core.step import Step

ENVIRONMENT = "python-environment"
"""The input from which packages are imported. No argument can be called so."""
REPOSITORY = "python-code"
"""The input that has the files of a git repository."""
_PLAIN: Mapping[str, tuple[type, ...]] = {
    "int": (int,), "float": (int, float), "str": (str,), "bool": (bool,), "list": (list,), "dict": (dict,),
}  # fmt: skip
_OF_INPUTS = ("DataFrame", "Table", "Model")


def check_use(step: Step, inputs: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong: (path below the step, message). `params` are those that are known."""
    source, function = step.body.get("source"), step.body.get("function", "main")
    if source is None:
        return
    file = step.body.get("file")
    where, prefix = ("python.file", f"{file}: ") if file else ("python.source", "")
    try:
        if step.body.get("script"):
            check_code(source)
            return
        found = signature_of(source, function)
    except CodeError as error:
        if step.common.image is UNSET or not isinstance(error, Unreadable):  # another image may have a newer Python
            yield where, f"{prefix}{error}"
        return
    if found is not None:
        for argument in _unmet(found, inputs, params):
            yield where, f"{function}() needs '{argument}': give it by `inputs` or `params`"
        yield from _misfits(found, function, inputs, params)
        yield from _never_returned(found, function, source, step)


def _misfits(
    found: Signature, function: str, inputs: Mapping[str, Any], params: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    known = {argument.name: argument for argument in found.arguments}
    given: dict[str, str] = {}
    for field, values in (("inputs", inputs), ("params", params)):
        for name, value in values.items():
            if name in (ENVIRONMENT, REPOSITORY):
                continue
            where, called = f"{field}.{name}", name.replace("-", "_")
            if called in given:
                yield where, f"is the argument '{called}' of {function}(), and so is {given[called]}"
            elif called in known:
                wrong = _input_problem if field == "inputs" else _param_problem
                if message := wrong(known[called], function, value):
                    yield where, message
            elif not found.takes_any:
                yield where, f"{function}() takes no '{called}'; it takes: {', '.join(known) or 'nothing'}"
            given[called] = where


def _unmet(found: Signature, inputs: Mapping[str, Any], params: Mapping[str, Any]) -> list[str]:
    given = {name.replace("-", "_") for name in (*inputs, *params)}
    return [argument.name for argument in found.arguments if argument.is_needed and argument.name not in given]


def _input_problem(argument: Argument, function: str, value: Any) -> str:
    if not argument.annotation:
        return (
            f"say in {function}() what '{argument.name}' is to be: `{argument.name}: pd.DataFrame`, `Path`, `dict`, …"
        )
    if value.optional and argument.is_needed:
        return f"is optional, so '{argument.name}' of {function}() needs a default: `{argument.name}: {argument.annotation} | None = None`"
    return ""


def _param_problem(argument: Argument, function: str, value: Any) -> str:
    if argument.annotation.endswith(_OF_INPUTS):
        return f"{function}() takes '{argument.name}' as {argument.annotation}: that comes by `inputs`"
    types = _PLAIN.get(argument.annotation.partition("[")[0])
    if types is None or (isinstance(value, str) and OPEN in value):
        return ""
    is_right = isinstance(value, types) and (not isinstance(value, bool) or bool in types)
    is_whole = int in types and isinstance(value, float) and value == int(value)
    return (
        ""
        if is_right or is_whole
        else f"is {value!r:.60}, and {function}() takes '{argument.name}' as {argument.annotation}"
    )


def _never_returned(found: Signature, function: str, source: str, step: Step) -> Iterator[tuple[str, str]]:
    if found.returned is None or "MLWF_OUT" in source:
        return
    for name, output in step.outputs.items():
        if not output.optional and name not in found.returned:
            yield (
                f"outputs.{name}",
                f"{function}() never returns '{name}'; it returns: {', '.join(sorted(found.returned))}",
            )

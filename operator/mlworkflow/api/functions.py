"""`@mlwf.step`: a Python function as a step of the kind `python`. In a workflow a call of it is a step; anywhere else it is the call that it looks like."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, Unpack, cast, is_typeddict, overload

from mlworkflow.api import scope
from mlworkflow.api.code import source_of
from mlworkflow.api.kinds import Options
from mlworkflow.api.sources import Source, is_source
from mlworkflow.api.steps import Step, add
from mlworkflow.api.values import plain
from mlworkflow.core.errors import Problem, SpecError

RESULT = "result"
"""The output of a function that gives one thing and says nothing of its name."""
_PARAMETERS: Mapping[Any, str] = {int: "integer", float: "number", bool: "boolean", str: "string", list: "json"}
_FILES = ("DataFrame", "Table")


class StepOptions(Options, total=False):
    """What a step has beside its function."""

    name: str
    image: str
    outputs: Mapping[str, Any]
    requirements: list[str]


class Function:
    """A function that is a step where a workflow is open. `named` and `with_options` give it another name, or other options, for one call."""

    is_mlworkflow_step = True

    def __init__(self, function: Callable[..., Any], options: StepOptions) -> None:
        self.__wrapped__, self._settings = function, options
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A step (`Step`), or, where no workflow is open, what the function gives."""
        if scope.current() is None:
            return self.__wrapped__(*args, **kwargs)
        return self._step(*args, **kwargs)

    def with_options(self, **options: Unpack[StepOptions]) -> Function:
        """The same function with other options: `clean.with_options(retry={"limit": 3})(raw=…)`."""
        return Function(self.__wrapped__, cast("StepOptions", {**self._settings, **options}))

    def named(self, name: str) -> Function:
        """The same function as a step of this name."""
        return self.with_options(name=name)

    def _step(self, *args: Any, **kwargs: Any) -> Step:
        function, options = self.__wrapped__, cast("dict[str, Any]", dict(self._settings))
        name = str(options.pop("name", "")) or scope.free_name(function.__name__)
        path = f"steps.{name}"
        try:
            given = inspect.signature(function).bind(*args, **kwargs).arguments
        except TypeError as error:
            raise SpecError([Problem(path, f"{function.__name__}(): {error}")]) from None
        parameters = inspect.signature(function).parameters.values()
        rest = next((each.name for each in parameters if each.kind is inspect.Parameter.VAR_KEYWORD), None)
        values = {**given, **given.get(rest, {})} if rest else dict(given)
        values.pop(rest or "", None)
        inputs: dict[str, Source] = {key: value for key, value in values.items() if is_source(value)}
        params = {key: plain(value, f"{path}.params.{key}") for key, value in values.items() if key not in inputs}
        body: dict[str, Any] = {"source": source_of(function, f"{path}.python.source"), "function": function.__name__}
        if requirements := options.pop("requirements", None):
            body["requirements"] = requirements
        outputs = {**returned(function, path), **cast("Mapping[str, Any]", options.pop("outputs", {}))}
        options |= {"params": params} if params else {}
        options |= {"outputs": outputs} if outputs else {}
        return add("python", name, body, inputs, options)


@overload
def step(function: Callable[..., Any], /) -> Function: ...
@overload
def step(**options: Unpack[StepOptions]) -> Callable[[Callable[..., Any]], Function]: ...
def step(function: Any = None, /, **options: Any) -> Any:
    """Makes a step of a function: each argument is an input or a parameter, as what it is given says; outputs are what its annotation of what it returns
    says (`result`; with a TypedDict, its keys), and what `outputs` says. Its text and what it needs of its module travel with the workflow.
    """
    if function is None:
        return lambda function: Function(function, options)  # type: ignore[arg-type]
    return Function(function, options)  # type: ignore[arg-type]


def returned(function: Callable[..., Any], path: str) -> dict[str, dict[str, Any]]:
    """The outputs that the annotation of a function's result declares. Raises SpecError."""
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:  # whatever the user's annotations do
        raise SpecError([Problem(path, f"the annotations of {function.__name__}() cannot be read: {error}")]) from None
    wanted = hints.get("return", type(None))
    if is_typeddict(wanted):
        return {
            name: _output(each, not wanted.__total__)
            for name, each in typing.get_type_hints(wanted, include_extras=True).items()
        }
    if wanted in (type(None), dict, Any) or typing.get_origin(wanted) is dict:
        return {}
    return {RESULT: _output(wanted)}


def _output(wanted: Any, is_optional: bool = False) -> dict[str, Any]:
    origin = typing.get_origin(wanted)
    options = [each for each in typing.get_args(wanted) if each is not type(None)]
    if origin in (typing.NotRequired, typing.Required):
        return _output(options[0], origin is typing.NotRequired)
    if origin is typing.Annotated:
        return _output(options[0], is_optional)
    if origin is not None and len(options) < len(typing.get_args(wanted)):
        return _output(options[0], True)
    plain_type = origin or wanted
    if plain_type is dict:
        type_ = "json"
    elif plain_type in _PARAMETERS:
        type_ = _PARAMETERS[plain_type]
    elif getattr(plain_type, "__name__", "") in _FILES or plain_type is bytes:
        type_ = "file"
    else:
        type_ = "artifact"
    return {"type": type_, **({"optional": True} if is_optional else {})}

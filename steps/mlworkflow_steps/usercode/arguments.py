"""What a function is called with: inputs and parameters by the names of its arguments, each as the annotation says.

Libraries are known by their names, so that none is imported that the user's code has not imported itself.
"""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from mlworkflow_steps.errors import StepFailure, first_line

_INDEX = "index.json"
_JSON = (dict, list, int, float, bool)
_ANYTHING = (Any, object, inspect.Parameter.empty)


def arguments_for(
    function: Callable[..., Any], inputs: Mapping[str, Path], params: Mapping[str, Any]
) -> dict[str, Any]:
    """Argument → value. Raises StepFailure (CodeInvalid, ParamInvalid, InputInvalid) that names the argument."""
    name = function.__name__
    hints, taken = _hints(function), inspect.signature(function).parameters
    takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values())
    arguments: dict[str, Any] = {}
    for field, values in (("inputs", inputs), ("params", params)):
        for key, value in values.items():
            argument = key.replace("-", "_")
            if argument in arguments:
                raise StepFailure("CodeInvalid", f"{field}.{key}: '{argument}' of {name}() is given twice")
            if argument not in taken and not takes_any:
                known = ", ".join(taken) or "nothing"
                raise StepFailure("CodeInvalid", f"{field}.{key}: {name}() takes no '{argument}'; it takes: {known}")
            wanted = (
                hints.get(argument, inspect.Parameter.empty)
                if argument in taken
                else Path
                if field == "inputs"
                else Any
            )
            arguments[argument] = (
                read_input(value, wanted, argument) if field == "inputs" else as_parameter(value, wanted, argument)
            )
    for argument, parameter in taken.items():
        is_needed = parameter.default is inspect.Parameter.empty and parameter.kind not in (
            inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL,
        )  # fmt: skip
        if is_needed and argument not in arguments:
            raise StepFailure("CodeInvalid", f"{name}() needs '{argument}': give it by `inputs` or `params`")
    return arguments


def frames_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The data frames among the arguments, as they are before the function takes columns out of them (`y = table.pop("y")`); no data are copied."""
    frames = {key: value for key, value in arguments.items() if type(value).__name__ == "DataFrame"}
    return {key: value.copy(deep=False) for key, value in frames.items() if type(value).__module__.startswith("pandas")}


def read_input(path: Path, wanted: Any, argument: str) -> Any:
    """An input as `wanted`. Raises StepFailure."""
    if wanted is inspect.Parameter.empty:
        raise StepFailure(
            "CodeInvalid", f"say what '{argument}' is to be: `{argument}: pd.DataFrame`, `Path`, `dict`, …"
        )
    if wanted in _ANYTHING:
        return path
    options = _options(wanted)
    for option in options:
        plain = typing.get_origin(option) or option
        if plain is list and (path / _INDEX).is_file() and typing.get_args(option):
            return _members(path, typing.get_args(option)[0], argument)
        if isinstance(plain, type) and (read := _reader(plain)):
            return read(path, argument)
    raise StepFailure(
        "CodeInvalid",
        f"'{argument}' is to be {_shown(wanted)}, which no input can be: take pandas.DataFrame, Path, mlworkflow_steps.Model, dict, list, str, bytes or a number",
    )


def as_parameter(value: Any, wanted: Any, argument: str) -> Any:
    """A parameter as `wanted`. Raises StepFailure (ParamInvalid) where it is of another type."""
    options = [typing.get_origin(option) or option for option in _options(wanted)]
    if value is None and len(options) != len(typing.get_args(wanted) or options):
        return None
    if PurePath in {base for option in options if isinstance(option, type) for base in option.__mro__} and isinstance(
        value, str
    ):
        return Path(value)
    plain = [option for option in options if option in (*_JSON, str)]
    if len(plain) < len(options) or any(_is_of(value, option) for option in plain):
        return float(value) if plain == [float] else value
    if plain == [int] and isinstance(value, float) and value == int(value):
        return int(value)  # JSON does not tell 3.0 from 3
    raise StepFailure("ParamInvalid", f"params.{argument} is {value!r:.60}, and '{argument}' is to be {_shown(wanted)}")


def _is_of(value: Any, option: type) -> bool:
    if isinstance(value, bool):
        return option is bool
    return isinstance(value, (int, float) if option is float else option)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception as error:  # whatever the user's annotations do
        raise StepFailure(
            "CodeInvalid", f"the annotations of {function.__name__}() cannot be read: {first_line(error)}"
        ) from error


def _options(wanted: Any) -> list[Any]:
    """The types that a union is made of, without None."""
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return [option for option in typing.get_args(wanted) if option is not type(None)]
    return [wanted]


def _reader(plain: type) -> Callable[[Path, str], Any] | None:
    library = plain.__module__.partition(".")[0]
    if (library, plain.__name__) in _TABLES:
        return _TABLES[library, plain.__name__]
    if issubclass(plain, PurePath):
        return lambda path, _: path
    if library == "sklearn" or (library, plain.__name__) == ("mlworkflow_steps", "Model"):
        return lambda path, argument: _model(path, plain, argument)
    if plain in _JSON:
        return lambda path, argument: _json(path, plain, argument)
    if plain is str:
        return _text
    return _bytes if plain is bytes else None


def _members(path: Path, wanted: Any, argument: str) -> list[Any]:
    """What the items of a fan-out have left, in their order; items that left nothing are passed over."""
    index = json.loads((path / _INDEX).read_text(encoding="utf-8"))
    return [read_input(path / item["path"], wanted, argument) for item in index if item["path"] is not None]


def _frame(path: Path, argument: str) -> Any:
    from mlworkflow_steps.data.table import read_table

    table = read_table(path)
    if table.target:
        table.frame.attrs.update(target=table.target, task=table.task)
    return table.frame


def _arrow(path: Path, argument: str) -> Any:
    import pyarrow as pa

    return pa.Table.from_pandas(_frame(path, argument), preserve_index=False)


def _polars(path: Path, argument: str) -> Any:
    import polars

    return polars.from_arrow(_arrow(path, argument))


_TABLES = {("pandas", "DataFrame"): _frame, ("pyarrow", "Table"): _arrow, ("polars", "DataFrame"): _polars}


def _model(path: Path, plain: type, argument: str) -> Any:
    from mlworkflow_steps import load

    model = load(path)
    if plain.__module__.partition(".")[0] != "sklearn":
        return model  # whatever form it has, it answers as `Model` does
    if not isinstance(estimator := getattr(model, "estimator", None), plain):
        raise StepFailure(
            "InputInvalid", f"'{argument}' is to be {_shown(plain)}; the model is {_shown(type(estimator))}"
        )
    return estimator


def _json(path: Path, plain: type, argument: str) -> Any:
    try:
        value = json.loads(_text(path, argument))
    except ValueError as error:
        raise StepFailure(
            "InputInvalid", f"'{argument}' is to be {_shown(plain)}, and the input is not JSON: {error}"
        ) from error
    if not _is_of(value, plain):
        raise StepFailure(
            "InputInvalid", f"'{argument}' is to be {_shown(plain)}; the input is JSON of type {type(value).__name__}"
        )
    return float(value) if plain is float else value


def _text(path: Path, argument: str) -> str:
    try:
        return _bytes(path, argument).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StepFailure(
            "InputInvalid", f"'{argument}' is to be text, and the input is not UTF-8: take it as bytes or Path"
        ) from error


def _bytes(path: Path, argument: str) -> bytes:
    from mlworkflow_steps.data.table import only_file

    return only_file(path).read_bytes()


def _shown(wanted: Any) -> str:
    if not isinstance(wanted, type) or typing.get_args(wanted):
        return str(wanted)
    return (
        wanted.__name__
        if wanted.__module__ == "builtins"
        else f"{wanted.__module__.partition('.')[0]}.{wanted.__qualname__}"
    )

"""What a function gave, as the outputs of its step. What cannot be stored is named, with its type and the way out."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

from mlworkflow_steps.context import Context
from mlworkflow_steps.errors import StepFailure, first_line

_ARTIFACTS = ("artifact", "file", "directory")
_SCALARS = {bool: "boolean", int: "integer", float: "number"}


def leave(context: Context, function: str, value: Any, frames: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Leaves what `function` returned: a dict by its keys, None not at all, anything else as the one output that the step declares.

    A model's training table is looked for among `frames`, the data frames that the function was given by the names of its arguments.
    """
    for name, part in _by_name(context, function, value).items():
        declared = context.declared.get(name, {}).get("type", "")
        if declared in _ARTIFACTS:
            if _is_estimator(part):
                _model(context, name, part, function, frames)
            else:
                _artifact(context, name, part)
        elif declared or (plain := _plain(part)) is None or type(plain) in (*_SCALARS, str, list, dict):
            _parameter(context, name, declared, _plain(part))
        else:
            raise _undeclared(context, function, name, part)


def _by_name(context: Context, function: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if isinstance(value, dict):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise StepFailure(
                "OutputInvalid",
                f"{function}() returned a dict with the key {wrong[0]!r}; its keys are the names of outputs",
            )
        return value
    if len(context.declared) == 1:
        return {next(iter(context.declared)): value}
    names = ", ".join(context.declared)
    fix = f"return a dict with a value for each of: {names}" if names else "declare it: `outputs: {NAME: {}}`"
    raise StepFailure(
        "OutputInvalid",
        f"{function}() returned {_type(value)}, and the step declares {len(context.declared)} outputs: {fix}",
    )


def _undeclared(context: Context, function: str, name: str, value: Any) -> StepFailure:
    known = ", ".join(context.declared) or "none"
    return StepFailure(
        "OutputInvalid",
        f"{function}() returned '{name}' ({_type(value)}), which is not among the step's outputs ({known}): declare it: `outputs: {{{name}: {{}}}}`",
    )


def _parameter(context: Context, name: str, declared: str, value: Any) -> None:
    if declared == "string" and isinstance(value, str):
        context.set_text(name, value)
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise StepFailure("OutputInvalid", f"output '{name}' is {value}, which JSON cannot hold: leave None, or a text")
    try:
        context.set_parameter(name, value)
    except (TypeError, ValueError) as error:
        raise StepFailure(
            "OutputInvalid", f"output '{name}' is a parameter, and {_type(value)} is not one: {first_line(error)}"
        ) from error


def _is_estimator(value: Any) -> bool:
    return any((each.__module__, each.__name__) == ("sklearn.base", "BaseEstimator") for each in type(value).__mro__)


def _model(context: Context, name: str, estimator: Any, function: str, frames: Mapping[str, Any]) -> None:
    from mlworkflow_steps.usercode.models import write_model

    try:
        write_model(context.output(name), estimator, function, frames, context.digests)
    except StepFailure as failure:
        shutil.rmtree(context.output(name), ignore_errors=True)
        raise StepFailure(
            "OutputInvalid", f"output '{name}': {_type(estimator)} cannot be stored: {failure.message}"
        ) from failure


def _artifact(context: Context, name: str, value: Any) -> None:
    path, value = context.output(name), _plain(value)
    write = _writer(value)
    if write is None:
        raise StepFailure("OutputInvalid", f"output '{name}': {_type(value)} cannot be stored: {_fix(value)}")
    try:
        write(value, path)
    except (OSError, ValueError, TypeError) as error:
        raise StepFailure(
            "OutputInvalid", f"output '{name}': {_type(value)} cannot be stored: {first_line(error)}"
        ) from error
    except StepFailure as failure:
        raise StepFailure(failure.reason, f"output '{name}': {failure.message}") from failure


def _writer(value: Any) -> Callable[[Any, Path], None] | None:
    names = {(each.__module__.partition(".")[0], each.__name__) for each in type(value).__mro__}
    for known, write in _WRITERS.items():
        if known in names:
            return write
    if isinstance(value, PurePath):
        return _move
    if type(value).__module__.startswith("mlworkflow_steps.models.") and isinstance(getattr(value, "path", None), Path):
        return lambda model, path: _move(model.path, path)
    if isinstance(value, dict | list):
        return _json
    if isinstance(value, str | bytes | bytearray):
        return _content
    return None


def _content(value: str | bytes | bytearray, path: Path) -> None:
    path.write_bytes(value.encode() if isinstance(value, str) else value)


def _fix(value: Any) -> str:
    if (type_ := _SCALARS.get(type(value))) is not None:
        return f"it is a parameter: declare `type: {type_}`"
    if value is None:
        return "return something, or declare it `optional: true` and leave it out of the dict"
    return "return a pathlib.Path of a file that you have written, a data frame, a scikit-learn estimator, a dict, a list, text or bytes"


def _move(source: Path, path: Path) -> None:
    """The file or folder takes its place; what is outside of the step's own folder is copied."""
    if not source.exists():
        raise StepFailure("OutputInvalid", f"there is no file or folder '{source}'")
    if path.exists() and path.samefile(source):
        return
    own = path.parent.parent.resolve()
    is_own = source.resolve().is_relative_to(own) and not source.resolve().is_relative_to(own / "in")
    if is_own:
        shutil.move(source.resolve(), path)
    elif source.is_dir():
        shutil.copytree(source, path, symlinks=True)
    else:
        shutil.copyfile(source, path)


def _json(value: Any, path: Path) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def _frame(frame: Any, path: Path) -> None:
    """As Parquet. An index that says something becomes a column: one that is named, or of anything but whole numbers."""
    from pandas.api.types import is_integer_dtype

    from mlworkflow_steps.data.table import Table, write_table

    if any(name is not None for name in frame.index.names) or not is_integer_dtype(frame.index.dtype):
        frame = frame.reset_index()
    target = frame.attrs.get("target", "")
    facts = {"target": target, "task": frame.attrs.get("task", "")} if target in frame.columns else {}
    write_table(Table(frame, **facts), path)


def _polars(frame: Any, path: Path) -> None:
    _arrow(frame.to_arrow(), path)


def _arrow(table: Any, path: Path) -> None:
    _frame(table.to_pandas(), path)


_WRITERS: Mapping[tuple[str, str], Callable[[Any, Path], None]] = {
    ("pandas", "DataFrame"): _frame,
    ("polars", "DataFrame"): _polars,
    ("pyarrow", "Table"): _arrow,
}


def _plain(value: Any) -> Any:
    """A number of NumPy's as one of Python's."""
    if (
        type(value).__module__.partition(".")[0] == "numpy"
        and getattr(value, "shape", None) == ()
        and hasattr(value, "item")
    ):
        return value.item()
    return value


def _type(value: Any) -> str:
    kind = type(value)
    return (
        kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
    )

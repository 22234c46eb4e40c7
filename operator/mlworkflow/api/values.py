"""What Python gives, as the resource has it: plain JSON values, camelCase where a field has another name in Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from pathlib import PurePath
from typing import Any

import msgspec

from mlworkflow.api.expressions import Expr
from mlworkflow.core.errors import Problem, SpecError


def plain(value: Any, path: str) -> Any:
    """A JSON value; an expression is its text. Raises SpecError that names what below `path` is none."""
    match value:
        case None | bool() | int() | str():
            return value
        case Expr() | PurePath():
            return str(value)
        case float() if math.isfinite(value):
            return value
        case float():
            raise SpecError([Problem(path, f"is {value}, which JSON cannot hold")])
        case Mapping():
            return {_key(key, path): plain(item, f"{path}.{key}") for key, item in value.items()}
        case msgspec.Struct():
            return msgspec.to_builtins(value)
        case Set():
            return sorted(plain(item, path) for item in value)
        case Sequence() if not isinstance(value, bytes | bytearray):
            return [plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if hasattr(value, "tolist"):  # NumPy, pandas
        return plain(value.tolist(), path)
    kind = type(value)
    raise SpecError([Problem(path, f"is a {kind.__module__}.{kind.__qualname__}, and has to be a JSON value")])


def camel(name: str) -> str:
    """`pending_timeout` → `pendingTimeout`; `from_` → `from`."""
    first, *others = name.rstrip("_").split("_")
    return first + "".join(map(str.capitalize, others))


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise SpecError([Problem(path, f"has the key {key!r}, and keys are texts")])
    return key

"""Expressions: CEL between ``${{`` and ``}}`` in the strings of a resource.

A string that is one whole expression keeps the type of its value; inside text it is formatted (strings as they are,
anything else as JSON). What stands outside the marks is passed byte for byte. Values are JSON values throughout.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cel

from mlworkflow.core.errors import ExpressionError

OPEN, CLOSE = "${{", "}}"
WHOLE = r"^\$\{\{[\s\S]*\}\}$"
ROOTS = frozenset({"params", "steps", "workflow", "trial"})
_STRING = re.compile(r"""[rRbB]{0,2}(?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""")
_STEP = re.compile(r"""(?<![.\w])steps\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(?:"([^"]*)"|'([^']*)')\s*\])""")
_OUTPUT = re.compile(r"""\s*\.\s*outputs\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(?:"([^"]*)"|'([^']*)')\s*\])""")


@dataclass(frozen=True, slots=True)
class StepReference:
    """``steps.<step>`` in an expression, with the output that is read from it where one is named."""

    step: str
    output: str | None


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression; `source` is what stood between the marks."""

    source: str
    program: Any
    roots: frozenset[str]
    steps: tuple[StepReference, ...]


def is_expression(value: object) -> bool:
    """Whether a string is one whole expression."""
    return isinstance(value, str) and len(parts := split(value)) == 1 and isinstance(parts[0], Expression)


@functools.lru_cache(maxsize=4096)
def split(text: str) -> tuple[str | Expression, ...]:
    """The literal and the computed parts of a string, in order.

    Raises ExpressionError where a mark is not closed or an expression does not parse.
    """
    parts: list[str | Expression] = []
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        if start > position:
            parts.append(text[position:start])
        end = _end(text, start + len(OPEN))
        parts.append(parse(text[start + len(OPEN) : end].strip()))
        position = end + len(CLOSE)
    if position < len(text) or not parts:
        parts.append(text[position:])
    return tuple(parts)


def _end(text: str, position: int) -> int:
    """Where the expression that begins at `position` ends: braces and strings inside it are its own."""
    depth = 0
    while position < len(text):
        if text[position] in "\"'" and (string := _STRING.match(text, position)):
            position = string.end()
            continue
        if depth == 0 and text.startswith(CLOSE, position):
            return position
        depth += (text[position] == "{") - (text[position] == "}")
        position += 1
    raise ExpressionError(f"'{OPEN}' has no closing '{CLOSE}'")


@functools.lru_cache(maxsize=4096)
def parse(source: str) -> Expression:
    """Compile one expression. Raises ExpressionError with what CEL says of it."""
    if not source:
        raise ExpressionError("an expression is empty")
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise ExpressionError(f"'{source}' is not valid CEL: {_first_line(error)}") from None
    return Expression(source, program, frozenset(program.variables()), tuple(_step_references(source)))


def _step_references(source: str) -> Iterator[StepReference]:
    strings = [match.span() for match in _STRING.finditer(source)]
    for match in _STEP.finditer(source):
        if any(start < match.start() < end for start, end in strings):
            continue
        output = _OUTPUT.match(source, match.end())
        yield StepReference(_named(match), _named(output) if output else None)


def _named(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)


def walk(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string in a JSON value that holds a mark, with its path below `path`."""
    if isinstance(value, str):
        if OPEN in value:
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from walk(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from walk(item, f"{path}[{index}]")


def render(value: Any, names: Mapping[str, Any]) -> Any:
    """A JSON value with every expression in it evaluated. Raises ExpressionError."""
    if isinstance(value, str):
        return _render_text(value, names) if OPEN in value else value
    if isinstance(value, Mapping):
        return {key: render(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render(item, names) for item in value]
    return value


def _render_text(text: str, names: Mapping[str, Any]) -> Any:
    parts = split(text)
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return evaluate(parts[0], names)
    return "".join(part if isinstance(part, str) else as_text(evaluate(part, names)) for part in parts)


def as_text(value: Any) -> str:
    """A JSON value inside text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def evaluate(expression: Expression, names: Mapping[str, Any]) -> Any:
    """The value of an expression. Raises ExpressionError with the cause and, where it is known, the fix."""
    try:
        return _as_json(expression.program.execute(dict(names)), expression.source)
    except ExpressionError:
        raise
    except KeyError as error:
        raise ExpressionError(f"'{expression.source}': there is no {error} here") from None
    except TypeError as error:
        raise ExpressionError(
            f"'{expression.source}': the types do not fit. CEL does not mix int and float in arithmetic: "
            f"write double(x) or int(x), and 2.0 for 2. ({_first_line(error)})"
        ) from None
    except Exception as error:
        raise ExpressionError(f"'{expression.source}': {_first_line(error)}") from None


def _as_json(value: Any, source: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_as_json(item, source) for item in value]
    if isinstance(value, dict):
        return {str(key): _as_json(item, source) for key, item in value.items()}
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    raise ExpressionError(f"'{source}' gives {type(value).__name__}, which is not a JSON value")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__

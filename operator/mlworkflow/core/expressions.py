"""Expressions: CEL between ``${{`` and ``}}`` in the strings of a resource.

A string that is one whole expression keeps the type of its value; inside text it is formatted (strings as they are,
anything else as JSON). What stands outside the marks is passed byte for byte. Values are JSON values throughout.
"""

from __future__ import annotations

import datetime
import functools
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cel

from mlworkflow.core.errors import ExpressionError

OPEN, CLOSE = "${{", "}}"
WHOLE = r"^\$\{\{[\s\S]*\}\}$"
ROOTS = frozenset({"params", "steps", "workflow"})
"""The names that every expression has; `item` and `index`, `trial`, and `last` are there in their places."""
PLACES = frozenset({"item", "index", "trial", "last"})
_STRING = re.compile(
    r"""(?:[bB]?[rR]|[rR][bB])(?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|"[^"\n]*"|'[^'\n]*')"""
    r"""|[bB]?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.ASCII,
)
_STEP = re.compile(r"""(?<![.\w])steps\s*(?:\.\s*([A-Za-z_]\w*)\b(?!\s*\()|\[\s*(?:"([^"]*)"|'([^']*)')\s*\])""")
_FIELD = re.compile(r"""\s*\.\s*([A-Za-z_]\w*)""")
_HAS = re.compile(r"(?<![.\w])has\s*\(\s*$")
_OUTPUT = re.compile(r"""\s*\.\s*outputs\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(?:"([^"]*)"|'([^']*)')\s*\])""")
_PATH = re.compile(r"""[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[(?:"[^"\\]*"|'[^'\\]*')\])*""", re.ASCII)
_KEY = re.compile(r"""[^.\[\]"']+|"[^"]*"|'[^']*'""")
_BOUND = re.compile(r"""\.\s*(?:all|exists|exists_one|filter|map)\s*\(\s*([A-Za-z_]\w*)\s*,""")
_PARAMETER = re.compile(r"(?<![.\w])params\s*\.\s*([A-Za-z_]\w*)")
_ALL_PARAMETERS = re.compile(r"(?<![.\w])params\b")
_ALL_STEPS = re.compile(r"(?<![.\w])steps\b")
_WORDS = frozenset({"true", "false", "null"})


@dataclass(frozen=True, slots=True)
class StepReference:
    """``steps.<step>`` in an expression: the field that is read from it, and the output where one is named.

    `is_asked` says that the expression asks by ``has(…)`` whether the output is there.
    """

    step: str
    output: str | None
    field: str = ""
    is_asked: bool = False


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression; `source` is what stood between the marks.

    `roots` are the names it takes from its surroundings. `path` are the keys where it is nothing but a path: its value is then
    looked up and not computed, so that it stays as it is (CEL turns an integer beyond 64 bits into a float, and forgets the order of a map).
    `parameters` are the ones that it reads by name, None where it may read any.
    """

    source: str
    program: Any
    roots: frozenset[str]
    steps: tuple[StepReference, ...]
    path: tuple[str, ...] = ()
    parameters: frozenset[str] | None = frozenset()


@functools.lru_cache(maxsize=16384)
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
        if text[position] in "\"'rRbB" and (string := _STRING.match(text, position)):
            position = string.end()
            continue
        if depth == 0 and text.startswith(CLOSE, position):
            return position
        depth += (text[position] == "{") - (text[position] == "}")
        position += 1
    raise ExpressionError(f"'{OPEN}' has no closing '{CLOSE}'")


@functools.lru_cache(maxsize=16384)
def parse(source: str) -> Expression:
    """Compile one expression. Raises ExpressionError with what CEL says of it."""
    if not source:
        raise ExpressionError("an expression is empty")
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise ExpressionError(f"'{source}' is not valid CEL: {_first_line(error)}") from None
    roots = frozenset(program.variables()) - (frozenset(_BOUND.findall(outside_strings(source))) - ROOTS - PLACES)
    path = (
        tuple(key[1:-1] if key[0] in "\"'" else key for key in _KEY.findall(source))
        if _PATH.fullmatch(source) and source not in _WORDS
        else ()
    )
    return Expression(source, program, roots, tuple(_step_references(source)), path, _parameters(source))


def _parameters(source: str) -> frozenset[str] | None:
    names = outside_strings(source)
    found = _PARAMETER.findall(names)
    return frozenset(found) if len(found) == len(_ALL_PARAMETERS.findall(names)) else None


def outside_strings(source: str) -> str:
    """An expression with its strings' insides blanked out: what is left are names and operators, at the places where they were."""
    return _STRING.sub(lambda match: " " * len(match.group()), source)


def _step_references(source: str) -> Iterator[StepReference]:
    strings = [match.span() for match in _STRING.finditer(source)]
    matches = [
        match for match in _STEP.finditer(source) if not any(start < match.start() < end for start, end in strings)
    ]
    asked = {_read(source, match) for match in matches if _HAS.search(source, 0, match.start())}
    for match in matches:
        step, field, output = _read(source, match)
        yield StepReference(step, output, field, (step, field, output) in asked)


def _read(source: str, match: re.Match[str]) -> tuple[str, str, str | None]:
    output = _OUTPUT.match(source, match.end())
    field = _FIELD.match(source, match.end())
    return _named(match), field[1] if field else "", _named(output) if output else None


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
        if expression.path:
            return _look_up(expression.path, names)
        return _as_json(expression.program.execute(_scope(expression, names)), expression.source)
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


def _look_up(path: tuple[str, ...], names: Mapping[str, Any]) -> Any:
    value: Any = names
    for key in path:
        if not isinstance(value, Mapping):
            raise KeyError(key)
        value = value[key]
    return value


def _scope(expression: Expression, names: Mapping[str, Any]) -> dict[str, Any]:
    """The names that an expression takes; of thousands of steps only those that it reads, where it says which."""
    scope = {root: names[root] for root in expression.roots if root in names}
    if "steps" in scope:
        is_plain = len(_ALL_STEPS.findall(outside_strings(expression.source))) == len(expression.steps)
        wanted = {use.step for use in expression.steps} if is_plain else scope["steps"]
        scope["steps"] = {name: scope["steps"][name] for name in wanted if name in scope["steps"]}
    return scope


def _as_json(value: Any, source: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError(f"'{source}' gives {value}, which is not a JSON value")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_as_json(item, source) for item in value]
    if isinstance(value, dict):
        # CEL's maps have no order, and the same expression must give the same text.
        return dict(
            sorted(((str(key), _as_json(item, source)) for key, item in value.items()), key=lambda item: item[0])
        )
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    raise ExpressionError(f"'{source}' gives {type(value).__name__}, which is not a JSON value")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__

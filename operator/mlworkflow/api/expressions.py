"""Expressions as Python writes them: what is done with one gives another, and as text it is CEL between its marks.

``steps["tune"].outputs.best.params.max_depth`` of a `Step` and ``wf.params.seed`` of a `Workflow` are such. Nothing is evaluated here, and nothing checked: that is the core's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from mlworkflow.core.expressions import CLOSE, OPEN

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset(["as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "null", "package", "namespace", "return", "true", "var", "void", "while"])  # fmt: skip


class Expr:
    """A value that is known when the step starts. Attributes and items lead into it, operators make new ones: ``&``, ``|`` and ``~`` are and, or, not."""

    __slots__ = ("_cel", "_is_whole")

    def __init__(self, cel: str, *, is_whole: bool = False) -> None:
        """`is_whole`: a path, a call or a literal, which needs no parentheses."""
        self._cel, self._is_whole = cel, is_whole

    @property
    def cel(self) -> str:
        """The expression without its marks."""
        return self._cel

    def __str__(self) -> str:
        return f"{OPEN} {self.cel} {CLOSE}"

    def __format__(self, spec: str) -> str:
        if spec:
            raise TypeError(f"{self}: has no value yet that could be formatted as '{spec}'")
        return str(self)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self}: has no value yet: give it to `when`, and join conditions by &, | and ~")

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self}: has no value yet: give it to `for_each`")

    def __getattr__(self, name: str) -> Expr:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, key: Any) -> Expr:
        return Expr(f"{_operand(self)}{field(key) if isinstance(key, str) else f'[{literal(key)}]'}", is_whole=True)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return _joined(self, "==", other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return _joined(self, "!=", other)

    def __lt__(self, other: Any) -> Expr:
        return _joined(self, "<", other)

    def __le__(self, other: Any) -> Expr:
        return _joined(self, "<=", other)

    def __gt__(self, other: Any) -> Expr:
        return _joined(self, ">", other)

    def __ge__(self, other: Any) -> Expr:
        return _joined(self, ">=", other)

    def __and__(self, other: Any) -> Expr:
        return _joined(self, "&&", other)

    def __rand__(self, other: Any) -> Expr:
        return _joined(other, "&&", self)

    def __or__(self, other: Any) -> Expr:
        return _joined(self, "||", other)

    def __ror__(self, other: Any) -> Expr:
        return _joined(other, "||", self)

    def __invert__(self) -> Expr:
        return Expr(f"!{_operand(self)}")

    def __neg__(self) -> Expr:
        return Expr(f"-{_operand(self)}")

    def __add__(self, other: Any) -> Expr:
        return _joined(self, "+", other)

    def __radd__(self, other: Any) -> Expr:
        return _joined(other, "+", self)

    def __sub__(self, other: Any) -> Expr:
        return _joined(self, "-", other)

    def __rsub__(self, other: Any) -> Expr:
        return _joined(other, "-", self)

    def __mul__(self, other: Any) -> Expr:
        return _joined(self, "*", other)

    def __rmul__(self, other: Any) -> Expr:
        return _joined(other, "*", self)

    def __truediv__(self, other: Any) -> Expr:
        return _joined(self, "/", other)

    def __rtruediv__(self, other: Any) -> Expr:
        return _joined(other, "/", self)

    def __mod__(self, other: Any) -> Expr:
        return _joined(self, "%", other)


def cel(text: str) -> Expr:
    """An expression as CEL says it, for what operators cannot: ``cel("size(params.names) > 2")``."""
    return Expr(text.strip())


def field(name: str) -> str:
    """The way to a field: ``.name``, or ``['na-me']`` where CEL has no such name."""
    return f".{name}" if _NAME.fullmatch(name) and name not in _RESERVED else f"[{literal(name)}]"


def literal(value: Any) -> str:
    """A JSON value in CEL, and what expressions there are in it. Raises TypeError."""
    match value:
        case Expr():
            return value.cel
        case None | bool() | int() | str():
            return json.dumps(value, ensure_ascii=False)
        case float() if math.isfinite(value):
            return repr(value)
        case Mapping():
            return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
        case Sequence():
            return f"[{', '.join(map(literal, value))}]"
    if hasattr(value, "item"):
        return literal(value.item())
    raise TypeError(f"{value!r:.60} cannot be part of an expression: it is no JSON value")


def _joined(left: Any, operator: str, right: Any) -> Expr:
    return Expr(f"{_operand(left)} {operator} {_operand(right)}")


def _operand(value: Any) -> str:
    if isinstance(value, Expr) and not value._is_whole:
        return f"({value.cel})"
    return literal(value)


item = Expr("item", is_whole=True)
"""The item of the nearest fan-out around."""
index = Expr("index", is_whole=True)
"""Its number, from 0."""
trial = Expr("trial", is_whole=True)
"""In the step of a `tune`: `trial.params`, `trial.number`."""
workflow_facts = Expr("workflow", is_whole=True)
"""`name`, `namespace`, `uid`; at the end of a workflow `phase`, `reason`, `message`."""

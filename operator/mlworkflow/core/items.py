"""The items of a step with `forEach`: a list, a range, or every combination of several lists."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.fields import ForEach, IntSpan

MOST = 10_000
"""Items of one step."""


def items_of(each: list[Any] | str | ForEach, evaluate: Callable[[Any], Any]) -> list[Any]:
    """The items in order, with `evaluate` for what holds expressions. Raises ExpressionError."""
    if not isinstance(each, ForEach):
        return _bounded(_listed(evaluate(each), "forEach"))
    if each.items is not UNSET:
        return _bounded(_listed(evaluate(each.items), "forEach.items"))
    if each.range is not UNSET:
        return _numbers(each.range, evaluate)
    assert each.matrix is not UNSET
    lists = {name: _listed(evaluate(values), f"forEach.matrix.{name}") for name, values in each.matrix.items()}
    _check_count(math.prod(map(len, lists.values())))
    return [dict(zip(lists, combination, strict=True)) for combination in itertools.product(*lists.values())]


def tolerated(limit: int | str, total: int) -> int:
    """How many of `total` items may fail: a number, or a share of them, rounded down."""
    return int(limit.rstrip("%")) * total // 100 if isinstance(limit, str) else limit


def _numbers(span: int | str | IntSpan, evaluate: Callable[[Any], Any]) -> list[int]:
    if not isinstance(span, IntSpan):
        count = _whole(evaluate(span), "forEach.range")
        _check_count(count)
        return list(range(count))
    low, high, step = (
        _whole(evaluate(getattr(span, name)), f"forEach.range.{name}") for name in ("min", "max", "step")
    )
    if step < 1:
        raise ExpressionError(f"forEach.range.step is at least 1, not {step}")
    numbers = range(low, high + 1, step)
    _check_count(len(numbers))
    return list(numbers)


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        if isinstance(value, float) and value.is_integer():
            return int(value)
        raise ExpressionError(f"{where} is a whole number, not {value!r}")
    return value


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ExpressionError(f"{where} is a list, not {type(value).__name__}: {str(value)[:100]}")
    return value


def _bounded(items: list[Any]) -> list[Any]:
    _check_count(len(items))
    return items


def _check_count(count: int) -> None:
    if count > MOST:
        raise ExpressionError(f"forEach has {count} items; the most are {MOST}")
    if count < 0:
        raise ExpressionError(f"forEach.range is not below 0, but {count}")

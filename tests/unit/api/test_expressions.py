"""Expressions as Python writes them mean in CEL what they mean in Python."""

from __future__ import annotations

from typing import Any

import mlworkflow as mlwf
import pytest
from mlworkflow.core.expressions import evaluate, split

params: Any = mlwf.Workflow("w").params
VALUES = {"a": 7, "b": 2, "t": True, "f": False, "text": "it's \"quoted\"\n\\ 🚲", "list": [1, 2, 3], "deep": {"x-y": {"if": 5}}}  # fmt: skip


def value(expression: mlwf.Expr) -> Any:
    (part,) = split(str(expression))
    return evaluate(part, {"params": VALUES, "item": {"n": 1}, "index": 3})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (params.a, 7),
        (params["a"], 7),
        (params.deep["x-y"]["if"], 5),
        (params.list[1], 2),
        (params.a + params.b * 3, 13),
        ((params.a + params.b) * 3, 27),
        (params.a - (params.b - 1), 6),
        (10 - params.a, 3),
        (-params.a + 1, -6),
        (params.a % params.b, 1),
        (params.a / params.b, 3),
        ((params.a > 5) & (params.b < 5), True),
        ((params.a > 5) & ~(params.b < 5), False),
        (params.f | params.t & params.f, False),
        ((params.a >= 7) | params.f, True),
        (params.a == 7, True),
        (params.a != params.b, True),
        (params.a <= 6, False),
        (params.text == VALUES["text"], True),
        (params.list == [1, 2, 3], True),
        (params.deep == {"x-y": {"if": 5}}, True),
        (mlwf.cel("size(params.list) > 2"), True),
        (mlwf.cel("size(params.list)") + 1, 4),
        (mlwf.item.n + mlwf.index, 4),
    ],
    ids=str,
)
def test_operators(expression: mlwf.Expr, expected: Any) -> None:
    found = value(expression)
    assert (found, type(found)) == (expected, type(expected))


def test_in_text_it_is_the_expression() -> None:
    assert f"depth {params.a}!" == "depth ${{ params.a }}!"


@pytest.mark.parametrize("use", [bool, list, lambda each: f"{each:.2f}"], ids=["if", "for", "format"])
def test_it_has_no_value_yet(use: Any) -> None:
    with pytest.raises(TypeError, match="has no value yet"):
        use(params.a)


def test_what_cannot_be_part_of_one() -> None:
    with pytest.raises(TypeError, match="no JSON value"):
        params.a == object()  # noqa: B015

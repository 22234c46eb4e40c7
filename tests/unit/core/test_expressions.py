"""Expressions: what is computed, what is passed byte for byte, and what is said of mistakes."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import parse, render, split, walk

NAMES: dict[str, Any] = {
    "params": {
        "n": 2,
        "f": 1.5,
        "s": "text",
        "b": True,
        "none": None,
        "l": [3, 1, 2],
        "m": {"z": 1, "a": 2},
        "big": 2**70,
        "a-b": "dashed",
        "nasty": "'\"\n\\ {{ }} ${{ params.n }} 😀",
        "zero": 0.0,
    },
    "steps": {"a-b": {"outputs": {"x": 7}, "phase": "Succeeded"}, "a_b": {"outputs": {"x": 7}, "phase": "Succeeded"}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("${{ params.n }}", 2, id="a whole expression keeps an integer"),
        pytest.param("${{ params.f }}", 1.5, id="a whole expression keeps a float"),
        pytest.param("${{ params.b }}", True, id="a whole expression keeps a boolean"),
        pytest.param("${{ params.none }}", None, id="a whole expression keeps null"),
        pytest.param("${{ params.l }}", [3, 1, 2], id="a whole expression keeps a list"),
        pytest.param("${{ params.m }}", {"z": 1, "a": 2}, id="a whole expression keeps a map"),
        pytest.param("${{params.n}}", 2, id="blanks around it are optional"),
        pytest.param("${{\n  params.n\n}}", 2, id="it may span lines"),
        pytest.param("n=${{ params.n }}", "n=2", id="inside text a number is formatted"),
        pytest.param("${{ params.n }} ", "2 ", id="a trailing blank makes it text"),
        pytest.param("${{ params.n }}${{ params.s }}", "2text", id="two side by side are text"),
        pytest.param("b=${{ params.b }} ${{ params.none }}", "b=true null", id="inside text true and null are JSON"),
        pytest.param("m=${{ params.m }}", 'm={"z": 1, "a": 2}', id="inside text a map is JSON in its order"),
        pytest.param("${{ params.n + 1 }}", 3, id="arithmetic of integers"),
        pytest.param("${{ params.f * 2.0 }}", 3.0, id="arithmetic of floats"),
        pytest.param("${{ params.f > 1 }}", True, id="an int and a float compare"),
        pytest.param("${{ params['a-b'] }}", "dashed", id="bracket access reaches a dash"),
        pytest.param('${{ steps["a-b"].outputs.x }}', 7, id="bracket access reaches a step"),
        pytest.param("${{ steps.a_b.outputs.x + 1 }}", 8, id="an underscore reaches a step with a dash"),
        pytest.param("${{ has(params.nothing) }}", False, id="has asks whether a name is there"),
        pytest.param("${{ params.l.map(q, q * 2) }}", [6, 2, 4], id="map"),
        pytest.param("${{ params.l.exists(q, q == 3) }}", True, id="exists"),
        pytest.param('${{ "}}" }}', "}}", id="the closing mark inside a string is the string's"),
        pytest.param("${{ '${{' }}", "${{", id="the opening mark inside a string is the string's"),
        pytest.param('${{ {"a": {"b": 1}}.a.b }}', 1, id="braces of maps inside maps are the expression's"),
        pytest.param('${{ {"a": 1}}}', {"a": 1}, id="a map right before the closing mark"),
        pytest.param(r"${{ r'\' }}", "\\", id="a raw string may end with a backslash"),
        pytest.param(r"${{ r'\}}' + 'x' }}", r"\}}x", id="a raw string with a backslash holds the closing mark"),
        pytest.param('${{ """a\n"b" }}""" }}', 'a\n"b" }}', id="a string of three quotes"),
        pytest.param(
            '${{ {"d": 4, "b": 2, "c": 3, "a": 1} }}', {"a": 1, "b": 2, "c": 3, "d": 4}, id="a map that is made"
        ),
        pytest.param("${{ timestamp('2024-01-01T00:00:00Z') }}", "2024-01-01T00:00:00+00:00", id="a time is text"),
        pytest.param("${{ duration('90s') }}", 90.0, id="a duration is seconds"),
        pytest.param("${{ params.big }}", 2**70, id="an integer beyond 64 bits that is only passed on stays exact"),
    ],
)
def test_an_expression_gives(text: str, value: object) -> None:
    given = render(text, NAMES)
    assert (given, type(given)) == (value, type(value))


@pytest.mark.parametrize(
    "text", ["", "{{ }}", "{{", "}}", "$ {{ x }}", "${x}", "$${", "a\\nb\n\t", "'\"", "😀 ünï", "\\${", "\x00"]
)
def test_text_without_a_mark_is_passed_byte_for_byte(text: str) -> None:
    assert render(text, NAMES) == text


def test_a_value_is_passed_byte_for_byte_and_never_evaluated_again() -> None:
    nasty = NAMES["params"]["nasty"]
    assert render("${{ params.nasty }}", NAMES) == nasty
    assert render(">${{ params.nasty }}<", NAMES) == f">{nasty}<"


def test_a_map_that_an_expression_makes_has_its_keys_in_order_every_time() -> None:
    text = 'x ${{ {"d": 4, "b": 2, "c": 3, "a": 1} }}'
    assert {render(text, NAMES) for _ in range(50)} == {'x {"a": 1, "b": 2, "c": 3, "d": 4}'}


def test_expressions_are_evaluated_at_every_depth() -> None:
    assert render({"a": [{"b": "${{ params.n }}"}, 3], "c": ("x${{ params.n }}",)}, NAMES) == {
        "a": [{"b": 2}, 3],
        "c": ["x2"],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("${{ params.n", "has no closing '}}'", id="not closed"),
        pytest.param("${{ params.n }", "has no closing '}}'", id="half closed"),
        pytest.param("${{ {'a': 1 }}", "has no closing '}}'", id="a brace inside is not closed"),
        pytest.param("${{ }}", "is empty", id="empty"),
        pytest.param("${{}}", "is empty", id="empty without a blank"),
        pytest.param("${{ 1 + }}", "is not valid CEL", id="half an expression"),
        pytest.param('${{ "abc }}', "is not valid CEL", id="a string is not closed"),
        pytest.param("${{ a b }}", "is not valid CEL", id="two words"),
        pytest.param("${{ 9223372036854775808 }}", "is not valid CEL", id="a literal beyond 64 bits"),
        pytest.param("${{ params.nothing }}", "there is no 'nothing' here", id="a name that is not there"),
        pytest.param(
            "${{ params.nothing + 1 }}", "there is no 'nothing' here", id="a name that is not there in arithmetic"
        ),
        pytest.param("${{ params.n.deeper }}", "there is no 'deeper' here", id="a field of a number"),
        pytest.param("${{ nothing }}", "there is no 'nothing' here", id="a root that is not there"),
        pytest.param("${{ params.f * 2 }}", "write double(x) or int(x)", id="an int and a float do not mix"),
        pytest.param("${{ 'a' + 1 }}", "the types do not fit", id="text and number do not mix"),
        pytest.param("${{ 1 / 0 }}", "division by zero", id="division by zero"),
        pytest.param("${{ 1.0 / params.zero }}", "inf, which is not a JSON value", id="infinity"),
        pytest.param("${{ 9223372036854775807 + 1 }}", "overflow", id="integer overflow"),
        pytest.param("${{ params.l[9] }}", "out of bounds", id="an index that is not there"),
        pytest.param("${{ b'abc' }}", "bytes, which is not a JSON value", id="bytes"),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(text, NAMES)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("steps.a.outputs.x", [("a", "x")], id="an output"),
        pytest.param("steps.a.phase", [("a", None)], id="a phase"),
        pytest.param("steps['a-b'].outputs['x-y']", [("a-b", "x-y")], id="brackets"),
        pytest.param('steps["a-b"].outputs.x', [("a-b", "x")], id="brackets and a dot"),
        pytest.param("steps.a.outputs.x > steps.b.outputs.y", [("a", "x"), ("b", "y")], id="two"),
        pytest.param("'steps.a.outputs.x' == params.s", [], id="a reference inside a string is none"),
        pytest.param("mysteps.a == params.steps.b", [], id="a name that only looks like it is none"),
        pytest.param("steps . a . outputs . x", [("a", "x")], id="blanks around dots"),
    ],
)
def test_references_to_steps_are_found(source: str, found: list[tuple[str, str | None]]) -> None:
    assert [(use.step, use.output) for use in parse(source).steps] == found


def test_the_variable_of_a_macro_is_no_root() -> None:
    assert parse("params.l.filter(v, v > 1).all(w, w < params.n)").roots == {"params"}


def test_walk_gives_every_string_with_a_mark_and_its_path() -> None:
    value = {"a": "${{ x }}", "b": [{"c": "y ${{ z }}"}, "plain"], "d": 3}
    assert list(walk(value, "f")) == [("f.a", "${{ x }}"), ("f.b[0].c", "y ${{ z }}")]


def test_split_is_the_text_in_order() -> None:
    assert [part if isinstance(part, str) else part.source for part in split("a${{ b }}c${{ d }}")] == [
        "a",
        "b",
        "c",
        "d",
    ]

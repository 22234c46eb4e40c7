"""Parameters from the command line."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.runs.errors import Usage
from mlworkflow.runs.params import overridden, parse_assignments, parse_value, retyped

RESOURCE = {"spec": {"params": {"depth": 3, "tag": "1.0"}, "steps": []}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 0.001),
        ("true", True),
        ("null", None),
        ('"3"', "3"),
        ('[1, "a"]', [1, "a"]),
        ('{"a": {"b": 1}}', {"a": {"b": 1}}),
        ("plain text", "plain text"),
        ("", ""),
        ("007", "007"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("{{x}}", "{{x}}"),
        ("ünï🙂", "ünï🙂"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_value_is_json_if_it_parses_else_text(text: str, value: Any) -> None:
    assert parse_value(text) == value


def test_only_the_first_equals_sign_divides_and_the_last_of_a_name_wins() -> None:
    assert parse_assignments(["a=x=y", "b=1", "b=2"]) == {"a": "x=y", "b": 2}


@pytest.mark.parametrize("given", ["depth", "=3", " =3"])
def test_what_is_no_assignment_is_refused(given: str) -> None:
    with pytest.raises(Usage, match="name=value"):
        parse_assignments([given])


def test_an_override_changes_a_copy() -> None:
    assert overridden(RESOURCE, ["depth=5"])["spec"]["params"] == {"depth": 5, "tag": "1.0"}
    assert RESOURCE["spec"]["params"]["depth"] == 3  # type: ignore[call-overload]


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(Usage, match="did you mean 'depth'") as caught:
        overridden(RESOURCE, ["dept=5"])
    assert caught.value.hint == "it has: depth, tag"


def test_a_text_that_becomes_a_number_is_pointed_out() -> None:
    assert retyped(RESOURCE, ["depth=4", "tag=1.1"]) == [
        "-p tag=1.1 is no text any more, as it is in the file; for text: -p 'tag=\"1.1\"'"
    ]

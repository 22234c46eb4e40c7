"""The rules name objects and fields that exist, and say what the kinds' own checks say."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from mlworkflow.core.kinds import KINDS
from mlworkflow.schema.resource import STEP, objects
from mlworkflow.schema.rules import COUNTS, EXACTLY_ONE, LIMITS, MAP_KEYS, rules_of

OBJECTS = objects()


@pytest.mark.parametrize("name", OBJECTS)
def test_a_rule_speaks_of_fields_of_its_object(name: str) -> None:
    for rule in rules_of(name):
        spoken_of = set(re.findall(r"self\.(?:__)?(\w+?)(?:__)?\b", rule.condition)) | (
            {rule.field} if rule.field else set()
        )
        assert spoken_of <= OBJECTS[name]["properties"].keys()


@pytest.mark.parametrize("table", [EXACTLY_ONE, COUNTS, LIMITS, MAP_KEYS])
def test_a_table_speaks_of_objects_that_exist(table: dict[str, Any]) -> None:
    assert table.keys() <= OBJECTS.keys()


@pytest.mark.parametrize("table", [LIMITS, MAP_KEYS, EXACTLY_ONE])
def test_a_table_speaks_of_fields_that_exist(table: dict[str, Any]) -> None:
    for name, fields in table.items():
        assert set(fields) <= OBJECTS[name]["properties"].keys()


def test_a_limit_does_not_contradict_the_struct() -> None:
    for name, fields in LIMITS.items():
        for field, bounds in fields.items():
            assert not bounds.keys() & OBJECTS[name]["properties"][field].keys()


@pytest.mark.parametrize(("name", "fields"), [(name, fields) for name, fields in EXACTLY_ONE.items() if name != STEP])
def test_the_kinds_check_the_same_alternatives(name: str, fields: tuple[str, ...]) -> None:
    """`exactly_one` in a kind's check and the rule here are two texts of one fact."""
    words = ", ".join(fields)
    assert any(words in message for kind in KINDS.values() for _, message in _problems_with_nothing_chosen(kind.name))


def _problems_with_nothing_chosen(kind: str) -> list[tuple[str, str]]:
    bodies: dict[str, Any] = {
        "import": {},
        "prep": {"source": {}, "target": "y"},
        "tune": {
            "algorithm": {},
            "space": {"a": {}},
            "step": {},
            "pruner": {"median": {}, "patient": {"patience": 1, "wrapped_pruner": {}}},
        },
    }
    return list(KINDS[kind].check(msgspec.convert(bodies[kind], KINDS[kind].body))) if kind in bodies else []

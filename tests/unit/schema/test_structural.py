"""The CRD's schema keeps the rules of structural schemas, and says what the model says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mlworkflow.core.kinds import KINDS
from mlworkflow.schema.crd import crd
from mlworkflow.schema.resource import Schema
from mlworkflow.schema.structural import Structural

VERSION = crd()["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]
STEP = ROOT["properties"]["spec"]["properties"]["steps"]["items"]
OPEN, INT_OR_STRING, RULES = (
    f"x-kubernetes-{name}" for name in ("preserve-unknown-fields", "int-or-string", "validations")
)


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema in a structural schema, with its path."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


ALL = dict(nodes(ROOT))


def field(schema: Any, **more: Any) -> Schema:
    """The structural schema of a field `f` with this JSON Schema, in an object whose defaults are filled in."""
    of_object = {"type": "object", "properties": {"f": schema}}
    convert = Structural({"Some": of_object, **more}, frozenset({"Some"}))
    return dict(convert.object("Some")["properties"]["f"])


def test_every_node_has_a_type_or_says_that_it_is_open() -> None:
    assert [path for path, node in ALL.items() if not node.keys() & {"type", OPEN, INT_OR_STRING}] == []


def test_nothing_stands_in_it_that_structural_schemas_may_not_have() -> None:
    forbidden = {"$ref", "anyOf", "allOf", "title", "$defs", "definitions"}
    assert [
        path for path, node in ALL.items() if node.keys() & forbidden or node.get("additionalProperties") is False
    ] == []
    alternatives = [alternative for node in ALL.values() for alternative in node.get("oneOf", ())]
    assert [alternative for alternative in alternatives if alternative.keys() != {"required"}] == []


def test_properties_and_additional_properties_exclude_each_other() -> None:
    assert [path for path, node in ALL.items() if {"properties", "additionalProperties"} <= node.keys()] == []


def test_every_field_has_a_description() -> None:
    fields = {path: node for path, node in ALL.items() if path and path[-1] not in "]}" and path != ".metadata"}
    assert [path for path, node in fields.items() if not node.get("description")] == []


def test_a_description_does_not_repeat_itself() -> None:
    for path, node in ALL.items():
        sentences = [sentence for sentence in node.get("description", "").split(". ") if len(sentence) > 20]
        assert len(sentences) == len(set(sentences)), path


def test_every_kind_is_a_field_of_a_step_and_in_its_rule() -> None:
    assert list(STEP["properties"])[: len(KINDS) + 1] == ["name", *KINDS]
    assert STEP["required"] == ["name"]
    rule = STEP[RULES][0]
    words = {"import": "__import__"}  # a word of CEL itself
    assert all(f"has(self.{words.get(kind, kind)})" in rule["rule"] for kind in KINDS)
    assert rule["message"] == f"a step has exactly one of: {', '.join(KINDS)}"


def test_step_names_are_unique() -> None:
    steps = ROOT["properties"]["spec"]["properties"]["steps"]
    assert (steps["x-kubernetes-list-type"], steps["x-kubernetes-list-map-keys"]) == ("map", ["name"])


def test_no_default_is_filled_into_the_body_of_a_kind() -> None:
    bodies = [f".spec.steps[].{kind}" for kind in KINDS]
    filled = {path for path, node in ALL.items() if "default" in node}
    assert not [path for path in filled if path.startswith(tuple(bodies))]
    assert ".spec.steps[].retry.limit" in filled
    assert not [path for path in filled if path.startswith(".status")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"nullable": True, OPEN: True}),
        ({"type": "array"}, {"type": "array", "items": {"nullable": True, OPEN: True}}),
        ({"type": "object"}, {"type": "object", OPEN: True}),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"type": "number", "exclusiveMinimum": 0}, {"type": "number", "minimum": 0, "exclusiveMinimum": True}),
        ({"type": "integer", "minimum": 1, "default": 3}, {"type": "integer", "minimum": 1, "default": 3}),
        ({"type": "boolean", "default": False}, {"type": "boolean"}),
        ({"type": "array", "items": {"type": "string"}, "default": []}, {"type": "array", "items": {"type": "string"}}),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, {"type": "number", "nullable": True}),
        ({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "x"}]}, {"pattern": "x", INT_OR_STRING: True}),
        ({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": "x"}]}, {"minimum": 0, "pattern": "x", OPEN: True}),
    ],
)  # fmt: skip
def test_a_field(given: Schema, expected: Schema) -> None:
    assert {key: value for key, value in field(given).items() if key != "description"} == expected


def test_a_reference_is_written_out_with_both_descriptions() -> None:
    inner = {"type": "object", "description": "Inner.", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    assert field({"$ref": "#/$defs/Inner", "description": "Outer."}, Inner=inner) == {
        "description": "Outer. Inner.",
        "type": "object",
        "properties": {"a": {"description": "", "type": "string"}},
        "required": ["a"],
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"description": "Seed.", "type": "integer", "default": 0}, "Seed. Default: 0."),
        ({"description": "Log.", "type": "boolean", "default": False}, "Log."),
        ({"description": "A. Default: as B.", "type": "integer", "default": 1}, "A. Default: as B."),
        ({"description": "A.", "anyOf": [{"type": "number"}, {"type": "boolean"}]}, "A. (number or true or false)"),
    ],
)
def test_a_description(given: Schema, words: str) -> None:
    assert field(given)["description"] == words


def test_printer_columns() -> None:
    columns = [column["name"] for column in VERSION["additionalPrinterColumns"]]
    assert columns == ["Phase", "Progress", "Duration", "Age", "Message"]

"""The resource as JSON Schema objects by name: what the CRD, the editor's schema and the reference page are made from.

An object is named as its struct is; `STEP` alone has no struct: it is `StepFields` and one property per kind.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from mlworkflow.core.fields import StepFields
from mlworkflow.core.kinds import KINDS
from mlworkflow.core.spec_fields import SpecFields
from mlworkflow.core.status_fields import StatusFields

Schema: TypeAlias = dict[str, Any]

SPEC, STATUS, STEP, STEP_FIELDS, COMMON = "SpecFields", "StatusFields", "Step", "StepFields", "Common"
REF = "#/$defs/"


def objects() -> dict[str, Schema]:
    """Every object of the resource by name; references between them are ``#/$defs/<name>``."""
    structs = [SpecFields, StepFields, StatusFields, *(kind.body for kind in KINDS.values())]
    _, found = msgspec.json.schema_components(structs)
    for schema in found.values():  # a docstring's indentation is Python's, and before 0.23 msgspec left it in
        schema["description"] = inspect.cleandoc(schema["description"])
    found[STEP] = _step(found[STEP_FIELDS], found)
    found[SPEC]["properties"]["steps"]["items"] = reference(STEP)
    for name in reachable(found, STATUS):  # what the operator leaves out is a fact about its writing, not a default
        for field in found[name]["properties"].values():
            field.pop("default", None)
    return found


def reference(name: str) -> Schema:
    """A reference to an object."""
    return {"$ref": REF + name}


def referred(schema: Schema) -> str:
    """The name of the object that a schema refers to; empty where it refers to none."""
    return str(schema.get("$ref", "")).removeprefix(REF)


def reachable(found: Mapping[str, Schema], start: str) -> set[str]:
    """The names of the objects that `start` leads to, itself included."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += references_in(found[name])
    return seen


def references_in(value: Any) -> list[str]:
    """The objects that a schema refers to, in the order of its text."""
    if isinstance(value, dict):
        here = [referred(value)] if "$ref" in value else []
        return here + [name for item in value.values() for name in references_in(item)]
    if isinstance(value, list):
        return [name for item in value for name in references_in(item)]
    return []


def own_description(text: str, of_object: str) -> str:
    """What to say of a field that holds an object: what the field says, and what the object adds to it."""
    return of_object if of_object.startswith(text.rstrip(".")) else f"{text} {of_object}"


def _step(fields: Schema, bodies: dict[str, Schema]) -> Schema:
    properties = dict(fields["properties"])
    first = {"name": {key: value for key, value in properties.pop("name").items() if key != "default"}}
    kinds = {kind.name: reference(kind.body.__name__) for kind in KINDS.values()}
    kinds |= {kind.name: bodies[kind.body.__name__]["properties"][kind.name] for kind in KINDS.values() if kind.is_list}
    return {**fields, "title": STEP, "properties": {**first, **kinds, **properties}, "required": ["name"]}

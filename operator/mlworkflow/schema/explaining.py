"""A field of the resource by its path, as `kubectl explain` has it: what it is, what it may be, and what is below it. Pure.

Lists and maps are passed through: `steps.tune.algorithm` is the algorithm of any step's search, `steps.inputs.from` of any input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mlworkflow.core.kinds import KINDS
from mlworkflow.schema.editor import editor_schema
from mlworkflow.schema.reference import BOUNDS
from mlworkflow.schema.resource import SPEC, STATUS, STEP, Schema, objects, reachable, reference, referred
from mlworkflow.schema.words import default_words, one_of, type_words

_STEP_LISTS = {"Steps": ("steps",), STEP: ("steps",), "OnExit": ("always", "succeeded", "failed")}
"""Lists of steps that the schema leaves open, because a CRD cannot hold itself."""
_RESOURCE = ("mlworkflow", "mlworkflows", "mlwf")


@dataclass(frozen=True, slots=True)
class Field:
    """`type`, `default` and `bounds` are words; `fields` are those below it, whose own are left out."""

    path: tuple[str, ...]
    type: str
    description: str
    default: str = ""
    bounds: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    is_required: bool = False
    fields: tuple[Field, ...] = ()

    def plain(self) -> dict[str, Any]:
        return {
            "path": ".".join(self.path),
            "type": self.type,
            "required": self.is_required,
            "default": self.default,
            "bounds": list(self.bounds),
            "values": list(self.values),
            "description": self.description,
            "fields": [field.plain() for field in self.fields],
        }


class NoSuchField(Exception):
    """`near` are paths that may have been meant."""

    def __init__(self, path: Sequence[str], near: Sequence[str]) -> None:
        super().__init__(f"there is no field '{'.'.join(path)}'")
        self.near = near


class Explainer:
    """The schema, ready to be asked."""

    def __init__(self) -> None:
        everything = objects()
        status = {name: everything[name] for name in reachable(everything, STATUS)}
        self._objects: dict[str, Schema] = {**editor_schema()["$defs"], **status}
        for owner, lists in _STEP_LISTS.items():
            for name in lists:
                if name in self._objects.get(owner, {}).get("properties", {}):
                    self._objects[owner]["properties"][name] |= {"items": reference(STEP)}

    def field(self, path: str) -> Field:
        """The field that a path names; `spec.` may be left out, and so may `steps.`. Raises NoSuchField."""
        segments = [part.partition("[")[0] for part in path.strip(".").split(".") if part.partition("[")[0]]
        if segments and segments[0].lower() in _RESOURCE:
            del segments[0]
        root = STATUS if segments[:1] == ["status"] else SPEC
        begins = tuple(segments[:1]) if segments[:1] in (["spec"], ["status"]) else ("spec",)
        rest = segments[1:] if segments[:1] == list(begins) else segments
        is_of_step = rest and root == SPEC and rest[0] not in self._objects[SPEC]["properties"]
        if is_of_step and rest[0] in self._objects[STEP]["properties"]:
            rest = ["steps", *rest]
        return self._below(begins, reference(root), rest, required=False)

    def kinds(self) -> Iterator[Field]:
        """The kinds of step."""
        for kind in KINDS.values():
            yield Field(("spec", "steps", kind.name), "object", f"{kind.summary[0].upper()}{kind.summary[1:]}.")

    def _below(self, path: tuple[str, ...], schema: Schema, rest: Sequence[str], *, required: bool) -> Field:
        owners = list(self._owners(schema))
        if not rest:
            return self._described(path, schema, required=required, fields=tuple(self._fields(path, owners)))
        name = rest[0]
        for owner in owners:
            properties = self._objects[owner]["properties"]
            if name in properties:
                is_required = name in self._objects[owner].get("required", ())
                return self._below((*path, name), properties[name], rest[1:], required=is_required)
        if _is_map(schema) and len(rest) > 1:  # a name that the user chose
            return self._below((*path, name), schema["additionalProperties"], rest[1:], required=False)
        known = [field for owner in owners for field in self._objects[owner]["properties"]]
        near = get_close_matches(name, known, 3, 0.5) or known[:8]
        raise NoSuchField((*path, name), [".".join((*path, one)) for one in near])

    def _owners(self, schema: Schema) -> Iterator[str]:
        """The objects that a value may be, or be made of."""
        if name := referred(schema):
            yield name
        for option in schema.get("anyOf", ()):
            yield from self._owners(option)
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                yield from self._owners(schema[key])

    def _fields(self, path: tuple[str, ...], owners: Sequence[str]) -> Iterator[Field]:
        for owner in owners:
            required = self._objects[owner].get("required", ())
            for name, schema in self._objects[owner]["properties"].items():
                yield self._described((*path, name), schema, required=name in required)

    def _described(
        self, path: tuple[str, ...], schema: Schema, *, required: bool, fields: tuple[Field, ...] = ()
    ) -> Field:
        own = str(schema.get("description", ""))
        told = [str(self._objects[owner].get("description", "")) for owner in self._owners(schema)] if fields else []
        description = "\n\n".join(dict.fromkeys(text for text in (own, *told) if text))
        if not description and (owner := referred(schema)):
            description = str(self._objects[owner].get("description", "")).partition("\n")[0]
        bounds = tuple(f"{word} {schema[key]}" for key, word in BOUNDS.items() if key in schema)
        values = tuple(str(value) for value in schema.get("enum", ()))
        return Field(path, type_of(schema), description, default_words(schema), bounds, values, required, fields)


def type_of(schema: Mapping[str, Any]) -> str:
    """``list of object``, ``map to number or expression``, ``text``."""
    if "anyOf" in schema:
        words = dict.fromkeys(type_of(option) for option in schema["anyOf"] if option.get("type") != "null")
        return one_of(sorted(words, key=lambda word: word == "expression"))
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    if schema.get("type") == "object":
        return f"map to {type_of(schema.get('additionalProperties', {}))}"
    return one_of(type_words(dict(schema))) or "any JSON"


def _is_map(schema: Schema) -> bool:
    return isinstance(schema.get("additionalProperties"), dict)

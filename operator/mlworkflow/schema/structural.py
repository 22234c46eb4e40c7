"""From JSON Schema objects to a structural OpenAPI v3 schema, the only sort that a CRD may hold.

References are written out, and every node has a type or says that it is open. A union is not structural: "integer or
text" has a word of its own, any other is left open here and checked by the operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlworkflow.schema.resource import Schema, own_description, referred
from mlworkflow.schema.rules import COUNTS, LIMITS, MAP_KEYS, rules_of
from mlworkflow.schema.words import default_words, one_of, type_words

_ANY: Schema = {"nullable": True, "x-kubernetes-preserve-unknown-fields": True}
_KEPT = (
    "format", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
)  # fmt: skip
_BOUNDS = {"minimum": "minimum", "maximum": "maximum", "exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


@dataclass(frozen=True, slots=True)
class Structural:
    """Converts the schemas of one resource.

    `filled_in` names the objects whose defaults the API server writes into the resource. The body of a kind is not among
    them: it enters cache keys as it was written, and a cluster has to arrive at the same keys as a laptop.
    """

    objects: Mapping[str, Schema]
    filled_in: frozenset[str] = frozenset()

    def object(self, name: str) -> Schema:
        """The structural schema of an object, with its rules."""
        schema = self.objects[name]
        properties = {field: self._field(name, field, value) for field, value in schema["properties"].items()}
        rules = [rule.as_schema() for rule in rules_of(name)]
        return _without_empty(
            description=schema.get("description"),
            type="object",
            properties=properties,
            required=schema.get("required"),
            **COUNTS.get(name, {}),
            **{"x-kubernetes-validations": rules},
        )

    def _field(self, owner: str, field: str, schema: Schema) -> Schema:
        node = {**self._node(schema), **LIMITS.get(owner, {}).get(field, {})}
        if key := MAP_KEYS.get(owner, {}).get(field):
            node |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
        if (default := schema.get("default")) and owner in self.filled_in and isinstance(default, str | int | float):
            node["default"] = default
        return {"description": _description(schema, node), **_without(node, "description")}

    def _node(self, schema: Schema) -> Schema:
        if name := referred(schema):
            return self.object(name)
        if "anyOf" in schema:
            return self._union(schema["anyOf"])
        node: Schema = {key: schema[key] for key in _KEPT if key in schema}
        for key, bound in _BOUNDS.items():
            if key in schema:
                node[bound] = schema[key]
                node |= {key: True} if key != bound else {}
        match schema.get("type", "string" if "enum" in schema else None):
            case None:
                return dict(_ANY)
            case "array":
                return {"type": "array", **node, "items": self._node(schema.get("items", {}))}
            case "object" if "additionalProperties" not in schema:
                return {"type": "object", **node, "x-kubernetes-preserve-unknown-fields": True}
            case "object":
                return {
                    "type": "object",
                    **node,
                    "additionalProperties": self._node(schema.get("additionalProperties", {})),
                }
            case type_:
                return {"type": type_, **node}

    def _union(self, options: list[Schema]) -> Schema:
        """One of several types. Bounds of a number and the pattern of a text stay: each holds for its own type only."""
        some = [option for option in options if option.get("type") != "null"]
        if len(some) == 1:
            return {**self._node(some[0]), "nullable": True}
        plain = [self._node(option) for option in some if not referred(option)]
        bounds = {key: value for node in plain for key, value in node.items() if key != "type"}
        if {option.get("type") for option in some} == {"integer", "string"}:
            return {**bounds, "x-kubernetes-int-or-string": True}
        return {**bounds, "x-kubernetes-preserve-unknown-fields": True}


def _description(schema: Schema, node: Schema) -> str:
    """What a field says, what its object adds, what it may be where the type does not tell, and its default."""
    text = str(schema.get("description", ""))
    if node.get("description"):
        text = own_description(text, str(node["description"])).strip()
    if "anyOf" in schema and "type" not in node:
        text = f"{text} ({one_of(type_words(schema))})"
    default = default_words(schema)
    if default and default != "false" and not isinstance(schema["default"], dict | list) and "Default:" not in text:
        text = f"{text} Default: {default}."
    return text.strip()


def _without_empty(**fields: Any) -> Schema:
    return {key: value for key, value in fields.items() if value}


def _without(node: Schema, key: str) -> Schema:
    return {name: value for name, value in node.items() if name != key}

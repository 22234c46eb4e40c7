"""What the structs cannot say and `kubectl apply` can still refuse: rules between the fields of one object.

Keyed by the object's name. The API server evaluates CEL rules on every write, of the status too, and on every step: a rule
costs about 0.15-0.3 ms a step there. So a step and a container, which there may be thousands of, have one rule in all; a
pattern does where it can, and the rest is found by the operator (condition `Valid=False`). The server also bounds what a
rule may cost, estimated from the bounds of the lists and maps around it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.fields import SOURCE, Input, Output
from mlworkflow.core.kinds import KINDS
from mlworkflow.core.kinds._features import Feature
from mlworkflow.core.kinds._pruning import Pruner, Wrapped
from mlworkflow.core.kinds._space import VALUES, Dimension, FloatRange, IntRange
from mlworkflow.core.kinds.evaluate import Bound, SliceBound
from mlworkflow.core.kinds.prep import Source
from mlworkflow.core.kinds.tune import Algorithm, Tune
from mlworkflow.core.names import MAX_NAME
from mlworkflow.core.origins import Import
from mlworkflow.schema.resource import SPEC, STATUS, STEP


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL condition on `self`, what to say where it does not hold, and the field that is to blame."""

    condition: str
    message: str
    field: str = ""

    def as_schema(self) -> dict[str, Any]:
        where = {"fieldPath": f".{self.field}"} if self.field else {}
        return {"rule": self.condition, "message": self.message, **where}


NAME_RULE = Rule(
    f"self.metadata.name.size() <= {MAX_NAME}",
    f"metadata.name may not be longer than {MAX_NAME} characters: it becomes a label of every Pod",
)

EXACTLY_ONE: Mapping[str, tuple[str, ...]] = {
    STEP: tuple(KINDS),
    Import.__name__: ("http", "s3"),
    Source.__name__: tuple(name for name in Source.__struct_encode_fields__ if name != "format"),
    Algorithm.__name__: Algorithm.__struct_encode_fields__,
    Dimension.__name__: VALUES,
    Pruner.__name__: Pruner.__struct_encode_fields__,
    Wrapped.__name__: Wrapped.__struct_encode_fields__,
    Tune.__name__: ("metric", "metrics"),
}
"""Objects of which exactly one of these fields must be given."""

_RESERVED = frozenset(
    ("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
     "namespace", "null", "package", "return", "true")
)  # fmt: skip
_ORDERED = Rule("self.min <= self.max", "min is above max")
_LOGARITHM = Rule("!has(self.log) || !self.log || self.min > 0", "a logarithmic range needs min > 0", "min")

_RULES: Mapping[str, tuple[Rule, ...]] = {
    IntRange.__name__: (_ORDERED, _LOGARITHM),
    FloatRange.__name__: (_ORDERED, _LOGARITHM),
}


def one_of(fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """That exactly one of these fields is there, as JSON Schema says it."""
    return [{"required": [name]} for name in fields]


COUNTS: Mapping[str, Mapping[str, Any]] = {
    Bound.__name__: {"minProperties": 1},
    SliceBound.__name__: {"minProperties": 1},
    Dimension.__name__: {"oneOf": one_of(VALUES)},
    Feature.__name__: {"oneOf": one_of(("column", "columns"))},
}
"""Objects whose fields are counted by the schema: CEL sees no field that may be of any type, so it could not tell which are there."""

LIMITS: Mapping[str, Mapping[str, Mapping[str, int | str]]] = {
    SPEC: {"steps": {"maxItems": 10_000}},
    STEP: {"when": {"pattern": f"^$|{re.escape(OPEN)}"}},
    Input.__name__: {"from": {"pattern": SOURCE}},
    Output.__name__: {"from": {"pattern": SOURCE}},
}
"""Object → field → what holds for it, where the struct does not say so and a rule at or below it needs a bound."""

MAP_KEYS: Mapping[str, Mapping[str, str]] = {SPEC: {"steps": "name"}, STATUS: {"conditions": "type"}}
"""Object → list → the field that names an item, unique in the list."""


def rules_of(name: str) -> list[Rule]:
    """The rules of an object."""
    counted = name in EXACTLY_ONE and name not in COUNTS
    return [*([_exactly_one(EXACTLY_ONE[name], name)] if counted else []), *_RULES.get(name, ())]


def _in_cel(field: str) -> str:
    """A field as the API server's CEL names it: a word of the language itself is written between underscores."""
    return f"__{field}__" if field in _RESERVED else field


def _exactly_one(fields: tuple[str, ...], name: str) -> Rule:
    given = ", ".join(f"has(self.{_in_cel(field)})" for field in fields)
    subject = "a step has" if name == STEP else "needs"
    return Rule(f"[{given}].filter(given, given).size() == 1", f"{subject} exactly one of: {', '.join(fields)}")

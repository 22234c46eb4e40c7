"""A JSON Schema (draft 2020-12) of the resource, for editors that complete and check YAML as it is written.

Unlike the CRD it may say `one of`, so unions are exact here, and the step of a trial is described too.
"""

from __future__ import annotations

from mlworkflow.core.names import API_VERSION, KIND, MAX_NAME
from mlworkflow.schema.resource import SPEC, STEP, Schema, objects, reachable, reference
from mlworkflow.schema.rules import COUNTS, EXACTLY_ONE, LIMITS, one_of

TRIAL = "Trial"
_NOT_IN_TRIALS = frozenset({"name", "after", "when", "inputs", "tune"})


def editor_schema() -> Schema:
    """The schema of a whole file."""
    found = objects()
    found[TRIAL] = _trial(found[STEP])
    step = found["Tune"]["properties"]["step"]
    found["Tune"]["properties"]["step"] = {**reference(TRIAL), "description": step["description"]}
    for owner, names in EXACTLY_ONE.items():
        found[owner]["oneOf"] = one_of(names)
    for owner, counts in COUNTS.items():
        found[owner] |= counts
    for owner, fields in LIMITS.items():
        for field, bounds in fields.items():
            found[owner]["properties"][field] |= bounds
    name = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": KIND,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": KIND},
            "metadata": {"type": "object", "properties": {"name": name}},
            "spec": reference(SPEC),
            "status": {"description": "Written by the operator.", "type": "object"},
        },
        "additionalProperties": False,
        "$defs": {owner: found[owner] for owner in sorted(reachable(found, SPEC))},
    }


def _trial(step: Schema) -> Schema:
    properties = {name: value for name, value in step["properties"].items() if name not in _NOT_IN_TRIALS}
    kinds = tuple(name for name in EXACTLY_ONE[STEP] if name not in _NOT_IN_TRIALS)
    own = {"title": TRIAL, "description": "The step that a trial runs.", "required": [], "oneOf": one_of(kinds)}
    return {**step, **own, "properties": properties}

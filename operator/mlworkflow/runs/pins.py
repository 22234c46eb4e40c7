"""A spec in which names stand for what they stood for in a run, so that it can be run again without the world having to be as it was. Pure.

An input by reference to a dataset or a model becomes a step of the same name that says which version; what promotes says what it would do, and moves
nothing: who reproduces a run of last year does not bring last year's champion back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from mlworkflow.core.origins import Origin
from mlworkflow.core.references import NAMED, OUTPUT, name_of

_INDEX = re.compile(r"~[0-9]+|/[0-9]+")
_NO_VERSION = f"sha256:{'0' * 64}"
"""Of what did not exist: no bytes have this digest."""
_Records = Mapping[str, Mapping[str, Any]]


def pinned(spec: Mapping[str, Any], records: _Records) -> dict[str, Any]:
    """`records` are those of the run, by task."""
    by_path = {_INDEX.sub("", task): record for task, record in records.items()}
    made: dict[str, dict[str, Any]] = {}
    after = {key: _walked(value, "", by_path, made) if key in ("steps", "onExit") else value for key, value in spec.items()}  # fmt: skip
    return {**after, "steps": [*made.values(), *after["steps"]]}


def _walked(value: Any, above: str, records: _Records, made: dict[str, dict[str, Any]]) -> Any:
    """Lists of steps, and what holds them."""
    if isinstance(value, Mapping):
        return {when: _walked(steps, above, records, made) for when, steps in value.items()}
    if isinstance(value, list):
        return [_step(step, above, records, made) for step in value]
    return value


def _step(step: Mapping[str, Any], above: str, records: _Records, made: dict[str, dict[str, Any]]) -> dict[str, Any]:
    name = str(step.get("name", ""))
    path = f"{above}.{name}" if above else name
    after = dict(step)
    if "inputs" in step:
        after["inputs"] = {key: _input(source, records, made) for key, source in step["inputs"].items()}
    if isinstance(step.get("steps"), list):
        after["steps"] = _walked(step["steps"], path, records, made)
    if isinstance(step.get("tune"), Mapping) and "step" in step["tune"]:
        after["tune"] = {**step["tune"], "step": _step(step["tune"]["step"], above, records, made)}
    if "promote" in step:
        after["promote"] = {**step["promote"], "dryRun": True}
    for kind in NAMED:
        if kind in step and path in records:
            after[kind] = _version(records[path])
    return after


def _input(source: Mapping[str, Any], records: _Records, made: dict[str, dict[str, Any]]) -> Mapping[str, Any]:
    origin = source.get("from")
    kind = next((kind for kind in NAMED if isinstance(origin, Mapping) and kind in origin), None)
    if kind is None or (name := name_of(msgspec.convert(origin, Origin))) not in records:
        return source
    made[name] = {"name": name, kind: _version(records[name])}
    return {**source, "from": f"{name}.{OUTPUT}"}


def _version(record: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a step that finds what this one found."""
    name, found = str(record["spec"]["name"]).partition("@")[0], record.get("parameters") or {}
    digest = found.get("digest")
    return {"name": f"{name}@{digest or _NO_VERSION}", **({} if digest else {"optional": True})}

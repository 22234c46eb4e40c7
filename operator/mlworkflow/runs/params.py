"""``-p name=value``: parameters of a workflow from the command line. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from mlworkflow.runs.errors import Usage


def parse_value(text: str) -> Any:
    """JSON if it parses, else the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def parse_assignments(given: Sequence[str]) -> dict[str, Any]:
    """``["a=1", "b=x=y"]`` → ``{"a": 1, "b": "x=y"}``; the last of a name wins. Raises Usage."""
    values = {}
    for assignment in given:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise Usage(f"-p {assignment}: a parameter is given as name=value", "write -p NAME=VALUE")
        values[name.strip()] = parse_value(text)
    return values


def text_of(given: Sequence[str], name: str) -> str:
    """What was written for a parameter, as it was written."""
    texts = {key.strip(): text for key, _, text in (assignment.partition("=") for assignment in given)}
    return texts[name]


def overridden(resource: Mapping[str, Any], given: Sequence[str]) -> dict[str, Any]:
    """A resource with parameters replaced. Raises Usage for a parameter that its `spec.params` does not have."""
    values = parse_assignments(given)
    spec = resource.get("spec") or {}
    known = spec.get("params") or {} if isinstance(spec, Mapping) else {}
    for name in values:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            guess = f"; did you mean '{close[0]}'?" if close else ""
            raise Usage(f"-p {name}: spec.params has no '{name}'{guess}", f"it has: {', '.join(known) or 'none'}")
    return {**resource, "spec": {**spec, "params": {**known, **values}}} if values else dict(resource)


def retyped(resource: Mapping[str, Any], given: Sequence[str]) -> list[str]:
    """Advice on values that were text in the file and are none any more, because they parse as JSON."""
    known = (resource.get("spec") or {}).get("params") or {}
    return [
        f"-p {name}={json.dumps(value)} is no text any more, as it is in the file; for text: -p '{name}=\"{value}\"'"
        for name, value in parse_assignments(given).items()
        if isinstance(known.get(name), str) and not isinstance(value, str)
    ]


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")

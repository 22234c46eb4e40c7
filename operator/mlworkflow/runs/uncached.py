"""A workflow in which no step takes an earlier result. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_cache(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A workflow in which no step takes an earlier result, whatever it says itself."""
    spec = dict(resource["spec"])
    defaults = {**(spec.get("defaults") or {}), "cache": {"enabled": False}}
    return {**resource, "spec": {**_without(spec), "defaults": defaults}}


def _without(value: Any) -> Any:
    """`value` without the `cache` of any step in it."""
    if isinstance(value, list):
        return [_without(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    inner = ("steps", "onExit", "always", "succeeded", "failed", "tune", "step")
    return {key: _without(one) if key in inner else one for key, one in value.items() if key != "cache"}

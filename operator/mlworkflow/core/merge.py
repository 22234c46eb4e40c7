"""Laying one JSON object over another, as Kubernetes does it: maps merge, lists of named things merge by name, null removes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def overlay(base: Any, patch: Any) -> Any:
    """`base` with `patch` over it; neither is changed."""
    if isinstance(base, Mapping) and isinstance(patch, Mapping):
        merged = {**base, **{key: overlay(base.get(key), value) for key, value in patch.items()}}
        return {key: value for key, value in merged.items() if value is not None}
    if isinstance(base, list) and isinstance(patch, list) and _named(base) and _named(patch):
        patches = {item["name"]: item for item in patch}
        known = [overlay(item, patches.pop(item["name"], {})) for item in base]
        return [*known, *patches.values()]
    return patch


def _named(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, Mapping) and "name" in item for item in items)

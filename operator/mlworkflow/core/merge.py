"""Laying one JSON object over another, as Kubernetes does it: maps merge, lists of named things merge by name (mounts by their
path), null removes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def overlay(base: Any, patch: Any) -> Any:
    """`base` with `patch` over it; neither is changed."""
    if isinstance(patch, Mapping):
        known = base if isinstance(base, Mapping) else {}
        merged = {**known, **{key: overlay(known.get(key), value) for key, value in patch.items()}}
        return {key: value for key, value in merged.items() if value is not None}
    if isinstance(base, list) and isinstance(patch, list) and base and patch and (name := _name([*base, *patch])):
        patches = {item[name]: item for item in patch}
        here = [overlay(item, patches.pop(item[name], {})) for item in base]
        return [*here, *patches.values()]
    return patch


def _name(items: list[Any]) -> str | None:
    """The field that tells the items of a list apart."""
    maps = all(isinstance(item, Mapping) for item in items)
    return next(
        (name for name in ("mountPath", "devicePath", "name") if maps and all(name in item for item in items)), None
    )

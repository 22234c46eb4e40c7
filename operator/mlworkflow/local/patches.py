"""JSON merge patches (RFC 7396), as the API server carries them out: maps merge, null removes, everything else replaces. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(base: Any, patch: Any) -> Any:
    """`base` with a patch carried out; neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    known = dict(base) if isinstance(base, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            known.pop(key, None)
        else:
            known[key] = merged(known.get(key), value)
    return known


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that makes `new` of `old`. A null within `new` is beyond what a patch can say: `merged` tells."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        known = old.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            if inner := difference(known, value):
                patch[key] = inner
        elif key not in old or not _same(known, value):
            patch[key] = value
    return patch


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON, where true is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other

"""What an attempt has said of its metrics on the way, as series. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mlworkflow.ui.answers import Metrics, Point, Series

MOST = 2000
"""Points of a series."""
_NONE: Mapping[str, int] = MappingProxyType({})


def metrics_of(
    points: Sequence[Mapping[str, Any]],
    attempt: int,
    *,
    is_final: bool,
    most: int = MOST,
    before: Mapping[str, int] = _NONE,
) -> Metrics:
    """By name, in the order in which they came; a point without a step has its number. `before` says how many came before these."""
    found: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        own = found[str(point["name"])]
        own.append(
            (_step(point.get("step"), before.get(str(point["name"]), 0) + len(own)), _finite(point.get("value")))
        )
    series = [
        Series(name=name, points=thinned(own, most), total=before.get(name, 0) + len(own))
        for name, own in found.items()
    ]
    return Metrics(attempt=attempt, series=series, is_final=is_final)


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """Evenly chosen, the last among them."""
    every = -(-len(points) // most) or 1
    return list(points[::-1][::every][::-1])


def _step(step: Any, number: int) -> float:
    return step if isinstance(step, int | float) and not isinstance(step, bool) else number


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

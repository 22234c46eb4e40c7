"""How much a column says about another: one number from 0 to 1 for every pair of kinds, and the sign where there is one.

Numbers with numbers: Pearson's correlation. Labels with numbers: the correlation ratio (the root of the share of the variance that the
labels explain). Labels with labels: Cramér's V without its bias. Free text is not compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.data.kinds import Kind, is_quantity, kind_of

_MOST_LABELS = 200
_STRONG = 0.95
_MOST_PAIRS = 10
_MOST_COLUMNS = 300


@dataclass(frozen=True, slots=True)
class Association:
    """`strength` is from 0 to 1; `sign` is 1 or -1 for correlations, else 0."""

    measure: str
    strength: float
    sign: int = 0


def association(feature: pd.Series, target: pd.Series, *, as_labels: bool) -> Association | None:
    """How much `feature` says about `target`, whose values are labels or a quantity. None where it cannot be told."""
    both = feature.notna() & target.notna()
    feature, target = feature[both], target[both]
    kind = kind_of(feature)
    if len(feature) < 3 or kind in ("empty", "text", "time") or feature.nunique() < 2 or target.nunique() < 2:
        return None
    if not is_quantity(kind) and feature.nunique() > min(_MOST_LABELS, len(feature) // 2):
        return None
    with np.errstate(all="ignore"):  # of infinite values there is no correlation
        return _measured(feature, kind, target, as_labels)


def correlated_pairs(frame: pd.DataFrame) -> list[tuple[str, str, float]]:
    """The pairs of columns of numbers that say the same, nearly: |r| of at least 0.95, the strongest first, ten at most."""
    numbers = [str(name) for name in frame if is_quantity(kind_of(frame[name]))][:_MOST_COLUMNS]
    if len(numbers) < 2:
        return []
    matrix = frame[numbers].astype(float).replace([np.inf, -np.inf], np.nan).corr().to_numpy()
    found = [
        (numbers[row], numbers[column], float(matrix[row, column]))
        for row, column in zip(*np.triu_indices(len(numbers), 1), strict=True)
        if abs(matrix[row, column]) >= _STRONG
    ]
    return sorted(found, key=lambda pair: (-round(abs(pair[2]), 9), pair[0], pair[1]))[:_MOST_PAIRS]


def _measured(feature: pd.Series, kind: Kind, target: pd.Series, as_labels: bool) -> Association | None:
    if is_quantity(kind) and not as_labels:
        value = _finite(np.corrcoef(feature.to_numpy(float), target.to_numpy(float))[0, 1])
        return None if value is None else Association("correlation", abs(value), int(math.copysign(1, value)))
    if is_quantity(kind):
        value = _correlation_ratio(target, feature.to_numpy(float))
        return None if value is None else Association("correlation ratio", value)
    if not as_labels:
        value = _correlation_ratio(feature, target.to_numpy(float))
        return None if value is None else Association("correlation ratio", value)
    return Association("Cramér's V", _cramers_v(feature, target))


def _correlation_ratio(labels: pd.Series, numbers: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    codes, _ = pd.factorize(labels)
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=numbers) / np.maximum(counts, 1)
    middle = numbers.mean()
    return _finite(math.sqrt(float((counts * (means - middle) ** 2).sum() / ((numbers - middle) ** 2).sum())))


def _cramers_v(first: pd.Series, second: pd.Series) -> float:
    counts = pd.crosstab(first.to_numpy(), second.to_numpy()).to_numpy(dtype=float)
    rows, columns, total = *counts.shape, counts.sum()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    squared = float(((counts - expected) ** 2 / expected).sum()) / total
    corrected = max(0.0, squared - (rows - 1) * (columns - 1) / (total - 1))
    fewer = min(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)) - 1
    return min(1.0, math.sqrt(corrected / fewer)) if fewer > 0 else 0.0


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

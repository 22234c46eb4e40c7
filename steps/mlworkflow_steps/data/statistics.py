"""Statistics of one column as plain JSON. Pure; the same numbers for the same column, in whatever order its labels come."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.data.kinds import is_quantity, kind_of, texts

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_MOST_COMMON = 10
_BINS = 20
_WHOLE_BINS = 50
_LARGEST_WHOLE = 2.0**50


def column_facts(values: pd.Series, role: str) -> dict[str, Any]:
    """Type, missing and distinct values; of numbers also their range, quantiles and histogram, of texts the most common ones."""
    kind = kind_of(values)
    facts: dict[str, Any] = {
        "name": str(values.name),
        "role": role,
        "type": str(values.dtype),
        "kind": kind,
        "missing": int(values.isna().sum()),
        "distinct": int((values if values.dtype != object else texts(values)).nunique()),
    }
    if is_quantity(kind):
        return facts | _of_numbers(values)
    if kind == "time":
        return facts | {"min": str(values.min()), "max": str(values.max())}
    if kind == "text":
        facts["words"] = words(values)
    return facts | {"most_common": most_common(values)}


def most_common(values: pd.Series) -> list[dict[str, Any]]:
    """The commonest values, ten at most. Equal counts come in the order of their labels."""
    counts = (values if values.dtype != object else texts(values)).value_counts(sort=False)
    counts = counts.sort_index().sort_values(ascending=False, kind="stable")
    return [{"value": plain(value), "rows": int(count)} for value, count in counts.head(_MOST_COMMON).items()]


def words(values: pd.Series) -> dict[str, Any]:
    """Words per sample: what is between white space, missing texts left out."""
    counts = np.array([len(text.split()) for text in texts(values)], dtype=float)
    numbers = {name: float(value) for name, value in zip(("min", "median", "p95", "max"), np.quantile(counts, [0, 0.5, 0.95, 1]), strict=True)}  # fmt: skip
    return numbers | {"mean": float(counts.mean()), "histogram": histogram(counts)}


def histogram(numbers: np.ndarray[Any, np.dtype[Any]]) -> dict[str, Any]:
    """Counts of finite numbers in about 20 bins of equal width. A bin of whole numbers holds as many of them as the next one."""
    low, high = float(numbers.min()), float(numbers.max())
    if abs(low) < _LARGEST_WHOLE > abs(high) and np.all(numbers % 1 == 0):
        width = 1 if high - low < _WHOLE_BINS else math.ceil((high - low + 1) / _BINS)
        edges = low - 0.5 + width * np.arange(math.ceil((high - low + 1) / width) + 1)
    elif math.isfinite(high - low) and high > low:
        edges = np.linspace(low, high, _BINS + 1)
    else:
        edges = np.array([low - 0.5, low + 0.5])
    counts, _ = np.histogram(numbers, bins=edges)
    return {"edges": [float(edge) for edge in edges], "counts": [int(count) for count in counts]}


def plain(value: Any) -> Any:
    """A NumPy or pandas scalar as JSON has it; what JSON has no number for becomes null, anything else its text."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _of_numbers(values: pd.Series) -> dict[str, Any]:
    """Infinite values are counted, and left out of everything else."""
    present = values.dropna()
    finite = present[np.isfinite(present.to_numpy(dtype=float))]
    facts: dict[str, Any] = {name: plain(getattr(finite, name)()) for name in ("min", "max", "mean", "std")}
    if len(finite) < len(present):
        facts["infinite"] = len(present) - len(finite)
    if len(finite):
        numbers = finite.to_numpy(dtype=float)
        quantiles = np.quantile(numbers, QUANTILES)
        facts["quantiles"] = {f"{share:g}": float(value) for share, value in zip(QUANTILES, quantiles, strict=True)}
        facts["zeros"] = int((numbers == 0).sum())
        facts["histogram"] = histogram(numbers)
    return facts

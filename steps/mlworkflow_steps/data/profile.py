"""What a table is like, as plain JSON: the `profile` artifact of `prep`."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from mlworkflow_steps.data.table import task_of

_MOST_COMMON = 10


def profile(
    frame: pd.DataFrame, target: str, *, train: pd.DataFrame, test: pd.DataFrame, origin: dict[str, Any], dropped: int
) -> dict[str, Any]:
    """`frame` is the whole table as divided; `dropped` rows had no target and are in neither part."""
    facts: dict[str, Any] = {
        "format": 1,
        "source": origin,
        "target": target,
        "task": task_of(frame[target]),
        "rows": len(frame),
        "train_rows": len(train),
        "test_rows": len(test),
        "dropped_rows": dropped,
        "columns": [_column(frame[name], "target" if name == target else "feature") for name in frame],
    }
    if facts["task"] == "classification":
        facts["classes"] = [
            {
                "class": plain(label),
                "rows": int(count),
                "train_rows": int((train[target] == label).sum()),
                "test_rows": int((test[target] == label).sum()),
            }
            for label, count in frame[target].value_counts(sort=False).sort_index().items()
        ]
    return facts


def _column(values: pd.Series, role: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": str(values.name),
        "role": role,
        "type": str(values.dtype),
        "missing": int(values.isna().sum()),
        "distinct": int(values.nunique()),
    }
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        facts |= {name: plain(getattr(values, name)()) for name in ("min", "max", "mean", "std")}
    else:
        # Sorted by the label first, so that equal counts come in the same order every time.
        counts = values.value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
        facts["most_common"] = [
            {"value": plain(value), "rows": int(count)} for value, count in counts.head(_MOST_COMMON).items()
        ]
    return facts


def plain(value: Any) -> Any:
    """A NumPy or pandas scalar as JSON has it; what JSON has no number for becomes null, anything else its text."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)

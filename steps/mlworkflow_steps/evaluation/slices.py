"""Parts of a table by what stands in a column: a value each, or a range each of numbers and moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.data.kinds import is_quantity, kind_of
from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.models.scores import Array
from mlworkflow_steps.spec import Fields

BINS = 4
MOST_BINS = 50
_MOST_VALUES = 20
_MISSING, _OTHERS = "missing", "any other"


@dataclass(frozen=True, slots=True)
class SliceBy:
    """A column, and into how many ranges its numbers are divided; None: four, or a slice per value of 20 at most."""

    column: str
    bins: int | None

    @classmethod
    def parse_all(cls, values: Any, path: str) -> list[SliceBy]:
        if not isinstance(values, list):
            raise SpecInvalid(path, "must be a list of columns")
        return [cls._parse(value, f"{path}[{index}]") for index, value in enumerate(values)]

    @classmethod
    def _parse(cls, value: Any, path: str) -> SliceBy:
        if isinstance(value, str):
            return cls(value, None)
        if not isinstance(value, Mapping):
            raise SpecInvalid(path, "must be a column, or {column, bins}")
        fields = Fields(value, path)
        bins = fields.integer("bins", BINS, at_least=2, at_most=MOST_BINS) if fields.has("bins") else None
        parsed = cls(fields.required_text("column"), bins)
        fields.done()
        return parsed


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows of a table: `label` says which, `rows` is a mask."""

    column: str
    label: str
    rows: Array

    @property
    def name(self) -> str:
        return f"{self.column}={self.label}"


def slices_of(frame: pd.DataFrame, asked: Sequence[SliceBy], path: str) -> list[Slice]:
    """Every row is in one slice of each column. Raises StepFailure (ColumnNotFound)."""
    found: list[Slice] = []
    for index, by in enumerate(asked):
        if by.column not in frame:
            raise StepFailure(
                "ColumnNotFound",
                f"{path}[{index}]: the table has no column '{by.column}'; it has: {', '.join(map(str, frame.columns))}",
            )
        found += _by_column(frame[by.column], by)
    return found


def _by_column(values: pd.Series, by: SliceBy) -> list[Slice]:
    kind, missing = kind_of(values), values.isna().to_numpy()
    ordered = is_quantity(kind) or kind == "time"
    if ordered and (by.bins is not None or values.nunique() > _MOST_VALUES):
        numbers = pd.to_datetime(values, utc=True) if kind == "time" else values
        parts = ranges(numbers, by.bins or BINS)
    else:
        parts = _by_value(values)
    if missing.any():
        parts = [*parts, (_MISSING, missing)]
    return [Slice(by.column, label, rows) for label, rows in parts if rows.any()]


def ranges(values: pd.Series, bins: int) -> list[tuple[str, Array]]:
    """About equally many rows each; a value that comes often keeps its rows together."""
    present = values.notna().to_numpy()
    _, codes, counts = np.unique(values[present].to_numpy(), return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - counts / 2
    bin_of = (middles * bins / max(counts.sum(), 1)).astype(int)
    parts: list[tuple[str, Array]] = []
    for index in np.unique(bin_of):
        rows = present.copy()
        rows[present] = bin_of[codes] == index
        inside = values[rows]
        parts.append((_range(inside.min(), inside.max()), rows))
    return parts


def _range(low: Any, high: Any) -> str:
    first, last = _text(low), _text(high)
    return first if first == last else f"{first} to {last}"


def _text(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d" if value == value.normalize() else "%Y-%m-%d %H:%M")
    value = plain(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _by_value(values: pd.Series) -> list[tuple[str, Array]]:
    """The commonest values in their own order, and what is left in one."""
    labels = values.map(_text, na_action="ignore").astype(object)
    counts = labels.value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    kept = set(counts.index[:_MOST_VALUES])
    order = {_text(value): place for place, value in enumerate(_sorted(values.dropna().unique()))}
    parts = [(label, (labels == label).to_numpy()) for label in sorted(kept, key=lambda label: order[label])]
    others = (labels.notna() & ~labels.isin(kept)).to_numpy()
    return [*parts, (_OTHERS, others)]


def _sorted(values: Any) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:  # values of several types have no order of their own
        return sorted(values, key=str)

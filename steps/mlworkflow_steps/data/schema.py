"""What a table has to be like: inferred from one that is good, kept as JSON, changed by hand, and given to a later `validate`.

A rule says of a column only what it must keep: its type, bounds for numbers, the categories of labels, and how many values may be missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd

from mlworkflow_steps.data.kinds import Kind, is_quantity, kind_of, texts
from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import Task, task_of
from mlworkflow_steps.errors import SpecInvalid
from mlworkflow_steps.spec import Fields

_ESTABLISHED_ROWS, _ESTABLISHED_SHARE = 10, 0.01
_ROOM = 10
_MARGIN, _GROWTH = 0.05, 1.5


@dataclass(frozen=True, slots=True)
class Rule:
    """What one column must keep. `missing` is the largest share of missing values; None stands for "anything"."""

    type: Kind
    min: float | None = None
    max: float | None = None
    categories: tuple[Any, ...] | None = None
    missing: float | None = None

    @classmethod
    def parse(cls, fields: Fields, default: Rule | None = None) -> Rule:
        """A rule as written; what is not written is as in `default`."""
        kind = fields.get("type", default.type if default else None)
        if kind not in get_args(Kind):
            raise SpecInvalid(fields.where("type"), f"must be one of {', '.join(get_args(Kind))}, not {kind!r}")
        categories, numbers = (
            fields.get("categories"),
            {name: fields.number(name) for name in ("min", "max", "missing")},
        )
        if categories is not None and not isinstance(categories, list):
            raise SpecInvalid(fields.where("categories"), "must be a list")
        fields.done()
        rule = cls(kind, numbers["min"], numbers["max"], None if categories is None else tuple(categories), numbers["missing"])  # fmt: skip
        if rule.missing is not None and not 0 <= rule.missing <= 1:
            raise SpecInvalid(fields.where("missing"), f"is a share from 0 to 1, not {rule.missing}")
        if rule.min is not None and rule.max is not None and rule.min > rule.max:
            raise SpecInvalid(fields.where("min"), f"is above max: {rule.min:g} > {rule.max:g}")
        return rule if default is None else cls(rule.type, *(_first(getattr(rule, n), getattr(default, n)) for n in ("min", "max", "categories", "missing")))  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        facts = {
            "type": self.type,
            "min": self.min,
            "max": self.max,
            "categories": self.categories,
            "missing": self.missing,
        }
        return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items() if value is not None}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Schema:
    """The rules by column, in the table's order. `target` is "" where nothing is to be predicted."""

    target: str
    task: Task | str
    columns: Mapping[str, Rule]

    @classmethod
    def infer(cls, frame: pd.DataFrame, target: str) -> Schema:
        task = task_of(frame[target]) if target in frame else ""
        rules = {str(name): _inferred(frame[name], task if name == target else "") for name in frame}
        return cls(target, task, rules)

    @classmethod
    def parse(cls, value: Any, path: str) -> Schema:
        """A schema as JSON has it. Raises StepFailure that names the field."""
        fields = Fields(value, path)
        if fields.get("format", 1) != 1:
            raise SpecInvalid(fields.where("format"), f"is {fields.get('format')!r}; this version reads 1")
        columns = fields.child("columns")
        rules = {name: Rule.parse(columns.child(name)) for name in fields.mapping("columns")}
        schema = cls(fields.text("target") or "", fields.text("task") or "", rules)
        fields.done()
        return schema

    def with_rules(self, overrides: Fields, names: Mapping[str, Any]) -> Schema:
        """The same with rules that the spec declares over it, column by column."""
        changed = {name: Rule.parse(overrides.child(name), self.columns.get(name)) for name in names}
        return Schema(self.target, self.task, {**self.columns, **changed})

    def with_target(self, target: str) -> Schema:
        return Schema(target, self.task if target == self.target else "", self.columns)

    def as_json(self) -> dict[str, Any]:
        rules = {name: rule.as_json() for name, rule in self.columns.items()}
        return {"format": 1, "target": self.target, "task": self.task, "columns": rules}


def _inferred(values: pd.Series, task: str) -> Rule:
    if isinstance(values.dtype, pd.SparseDtype):  # of which every question takes longer than all of the values
        values = pd.Series(np.asarray(values))
    kind = kind_of(values)
    missing = float(values.isna().mean()) if len(values) else 1.0
    allowed = min(1.0, math.ceil((_GROWTH * missing + _MARGIN) * 1000) / 1000) if missing else 0.0
    present = values.dropna()
    if task == "classification":
        labels = texts(present) if kind in ("category", "text") else present
        return Rule(kind, categories=tuple(sorted(plain(label) for label in labels.unique())), missing=allowed)
    if is_quantity(kind):
        low, high = (_whole(end) if kind == "integer" else end for end in _bounds(present.to_numpy(dtype=float)))
        return Rule(kind, min=low, max=high, missing=allowed)
    categories = tuple(sorted(texts(present).unique())) if kind == "category" else None
    return Rule(kind, categories=categories, missing=allowed)


def _bounds(numbers: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float | None, float | None]:
    """An end that many values reach (ten, and one in a hundred) is taken for a hard one: hours 0 to 23. Any other is given the room of ten times the
    range, but not across zero: what lies beyond is in another unit, or stands for something else (-999). Smaller moves are for drift to tell.
    """
    finite = numbers[np.isfinite(numbers)]
    if len(finite) == 0 or finite.min() == finite.max():
        return None, None
    low, high = float(finite.min()), float(finite.max())
    enough = max(_ESTABLISHED_ROWS, _ESTABLISHED_SHARE * len(finite))
    lower = low if (finite == low).sum() >= enough else low - _ROOM * (high - low)
    upper = high if (finite == high).sum() >= enough else high + _ROOM * (high - low)
    return (max(lower, 0.0) if low >= 0 else lower), (min(upper, 0.0) if high <= 0 else upper)


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _first(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value

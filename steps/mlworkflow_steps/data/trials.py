"""What a tune step leaves of its trials (its output `study`), read and put in order: as a table, and with what follows from it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlworkflow_steps.errors import StepFailure

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Dimension:
    """A parameter of the space: `kind` is ``number``, ``log`` or ``choice``; `values` are those of a choice."""

    name: str
    kind: str
    values: tuple[Any, ...] = ()

    @classmethod
    def of(cls, name: str, written: Mapping[str, Any]) -> Dimension:
        if "choice" in written:
            return cls(name, "choice", tuple(written["choice"]))
        span = written.get("int") or written.get("float") or {}
        return cls(name, "log" if span.get("log") else "number")

    def place(self, value: Any) -> float | None:
        """Where a value stands on the dimension's axis: a choice by its place in the list, the logarithm of a logarithmic range; None for no value."""
        if self.kind == "choice":
            return next((float(at) for at, known in enumerate(self.values) if is_same(known, value)), None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if self.kind == "number" else math.log10(value)


@dataclass(frozen=True, slots=True)
class Study:
    """A search that has ended. `trials` are as the document has them, in the order of their numbers."""

    document: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> Study:
        """Raises StepFailure for what no tune step has left."""
        try:
            document = json.loads(file.read_bytes())
            known = document["format"]
        except (ValueError, KeyError, TypeError):
            raise StepFailure("InputInvalid", "the input 'study' is not what a tune step leaves: inputs: {study: {from: <tune step>.study}}") from None  # fmt: skip
        if known != FORMAT:
            raise StepFailure("InputInvalid", f"the input 'study' has the format {known}; this image knows {FORMAT}: take the steps image of the operator's version")  # fmt: skip
        return cls(document)

    @property
    def trials(self) -> list[Mapping[str, Any]]:
        return list(self.document["trials"])

    @property
    def metrics(self) -> list[str]:
        return [objective["name"] for objective in self.document["objectives"]]

    @property
    def space(self) -> list[Dimension]:
        return [Dimension.of(name, written) for name, written in sorted(self.document["space"].items())]

    def is_better(self, metric: str, one: float, other: float) -> bool:
        goal = next(objective["goal"] for objective in self.document["objectives"] if objective["name"] == metric)
        return one > other if goal == "maximize" else one < other

    def valued(self, metric: str) -> Iterator[tuple[Mapping[str, Any], float]]:
        """The trials that count, with their value of a metric."""
        for trial in self.trials:
            if trial["phase"] == "Succeeded" and metric in trial["values"]:
                yield trial, trial["values"][metric]


def table(study: Study) -> pd.DataFrame:
    """A row for each trial: ``trial, phase, reason, message, started, seconds, attempts, cached``, and ``value_<metric>``, ``params_<name>``, ``artifact_<name>``
    (its digest). Parameters of one type keep it, others are written as JSON.
    """
    trials = study.trials
    columns: dict[str, Any] = {
        "trial": pd.array([trial["number"] for trial in trials], dtype="int64"),
        "phase": [trial["phase"] for trial in trials],
        "reason": [trial["reason"] for trial in trials],
        "message": [trial["message"] for trial in trials],
        "started": pd.to_datetime(pd.Series([trial["started"] or None for trial in trials], dtype="object"), utc=True),
        "seconds": pd.array([trial["seconds"] for trial in trials], dtype="Float64"),
        "attempts": pd.array([trial["attempts"] for trial in trials], dtype="int64"),
        "cached": [trial["cached"] for trial in trials],
    }
    for metric in study.metrics:
        columns[f"value_{metric}"] = pd.array([trial["values"].get(metric) for trial in trials], dtype="Float64")
    for name in sorted({name for trial in trials for name in trial["params"]}):
        columns[f"params_{name}"] = _of_one_type([trial["params"].get(name) for trial in trials])
    for name in sorted({name for trial in trials for name in trial["artifacts"]}):
        columns[f"artifact_{name}"] = pd.array([trial["artifacts"].get(name) for trial in trials], dtype="string")
    return pd.DataFrame(columns)


def _of_one_type(values: list[Any]) -> Any:
    types = {type(value) for value in values if value is not None}
    if types == {bool}:
        return pd.array(values, dtype="boolean")
    if types == {int}:
        return pd.array(values, dtype="Int64")
    if types and types <= {int, float}:
        return pd.array(values, dtype="Float64")
    if types == {str}:
        return pd.array(values, dtype="string")
    return pd.array([None if value is None else json.dumps(value) for value in values], dtype="string")


def is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: 1 and 1.0 are, 1 and true are not."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)

"""Where a model is wrong: class by class, over time, and in which rows most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics

from mlworkflow_steps.data.kinds import is_quantity, kind_of
from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.evaluation.slices import ranges
from mlworkflow_steps.models.scores import SCORES, Array, Outcome, residuals_of, spreads_of

WORST = 10
_PERIODS = 24


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How a class, or a label of several, fares: precision, recall, F1, and its number of rows."""

    label: str
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True, slots=True)
class TargetRow:
    """How one of several quantities fares."""

    target: str
    rmse: float
    mae: float
    r2: float


@dataclass(frozen=True, slots=True)
class WorstRow:
    """A row of the test table that the model gets most wrong; `weight` is its error, the confidence in the wrong class, or the wrong labels.
    `values` are those of the columns that matter most."""

    row: int
    true: Any
    predicted: Any
    weight: float
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Period:
    """Some consecutive rows: of a quantity the mean of predicted − true and the mean size of errors, else the share of wrong rows."""

    label: str
    rows: int
    error: float
    size: float


def confusion_of(outcome: Outcome) -> tuple[list[Any], Array]:
    """The labels that occur on either side, sorted, and the counts: true × predicted."""
    labels = np.unique(np.concatenate([outcome.true, outcome.predicted]))
    return [plain(label) for label in labels], metrics.confusion_matrix(outcome.true, outcome.predicted, labels=labels)


def class_rows(outcome: Outcome) -> list[ClassRow]:
    """By class; of several labels by label."""
    labels: Any = outcome.classes
    if outcome.true.ndim == 1:
        labels = np.unique(np.concatenate([outcome.true, outcome.predicted]))
    places = range(len(labels)) if outcome.true.ndim == 2 else labels
    columns = metrics.precision_recall_fscore_support(
        outcome.true, outcome.predicted, labels=list(places), average=None, zero_division=0.0
    )
    return [
        ClassRow(str(plain(label)), float(p), float(r), float(f), int(n))
        for label, p, r, f, n in zip(labels, *columns, strict=True)
    ]


def target_rows(outcome: Outcome) -> list[TargetRow]:
    """By quantity, of several."""
    assert outcome.classes is not None
    each = [Outcome(outcome.true[:, place], outcome.predicted[:, place]) for place in range(len(outcome.classes))]
    return [
        TargetRow(str(name), *(SCORES[score].compute(one) for score in ("rmse", "mae", "r2")))
        for name, one in zip(outcome.classes, each, strict=True)
    ]


def wrongness(outcome: Outcome, task: Task) -> Array:
    """Of each row: the size of its error (of several quantities the mean, each in standard deviations), whether its class is wrong, or the share of its labels that are."""
    if task == "regression":
        return np.abs(residuals_of(outcome))
    if task == "multioutput":
        return np.asarray((np.abs(residuals_of(outcome)) / spreads_of(outcome.true)).mean(axis=1))
    wrong = outcome.predicted != outcome.true
    return np.asarray(wrong.mean(axis=1) if wrong.ndim == 2 else wrong, dtype=float)


def worst_rows(outcome: Outcome, task: Task, frame: pd.DataFrame, columns: Sequence[str]) -> list[WorstRow]:
    """The largest errors, or the wrong classes that the model was surest of. Rows count from 0."""
    weights = wrongness(outcome, task)
    if task == "classification" and outcome.probabilities is not None:
        weights = weights * outcome.probabilities.max(axis=1)
    order = [int(row) for row in np.argsort(-weights, kind="stable")[:WORST] if weights[row] > 0]
    shown = [name for name in columns if name in frame]
    return [
        WorstRow(
            row,
            _said(outcome.true[row], outcome),
            _said(outcome.predicted[row], outcome),
            float(weights[row]),
            {name: plain(frame[name].iloc[row]) for name in shown},
        )
        for row in order
    ]


def over_time(outcome: Outcome, task: Task, times: pd.Series) -> list[Period]:
    """Up to 24 periods of about as many rows each. Raises StepFailure where the column has no order."""
    kind = kind_of(times)
    if not is_quantity(kind) and kind != "time":
        raise StepFailure("ColumnInvalid", f"evaluate.time: column '{times.name}' holds neither numbers nor moments")
    ordered = pd.to_datetime(times, utc=True) if kind == "time" else times
    sizes = wrongness(outcome, task)
    errors = residuals_of(outcome) if task == "regression" else sizes
    return [
        Period(label, int(rows.sum()), float(errors[rows].mean()), float(sizes[rows].mean()))
        for label, rows in ranges(ordered, _PERIODS)
    ]


def time_column(frame: pd.DataFrame) -> str:
    """The first column that holds moments; "" where there is none."""
    candidates = [name for name, type_ in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(type_)]
    return next((str(name) for name in candidates if kind_of(frame[name]) == "time"), "")


def _said(value: Any, outcome: Outcome) -> Any:
    """A value as JSON has it; of several labels those that are set or "none", of several quantities each with its name."""
    if isinstance(value, np.ndarray):
        assert outcome.classes is not None
        if value.dtype.kind == "f":
            return ", ".join(f"{label} {each:.4g}" for label, each in zip(outcome.classes, value, strict=True))
        return (
            ", ".join(str(plain(label)) for label, is_set in zip(outcome.classes, value, strict=True) if is_set)
            or "none"
        )
    return plain(value)

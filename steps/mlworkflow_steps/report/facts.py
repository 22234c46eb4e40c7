"""What the report and its JSON twin `scores` say about a model on a test table: measured once, here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics as sklearn_metrics

from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import Task
from mlworkflow_steps.models.scores import Array, Outcome, Score

_WORST = 10
_IMPORTANT = 15
_IMPORTANCE_ROWS = 1000
_REPEATS = 3
_MANY_FEATURES = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One bound of the gate and how the metric stands to it."""

    metric: str
    bound: str
    limit: float
    value: float

    @property
    def passed(self) -> bool:
        return self.value >= self.limit if self.bound == "min" else self.value <= self.limit

    @property
    def message(self) -> str:
        """As the status of the workflow says it. Digits enough that the two numbers never look the same."""
        side, word = ("below", "minimum") if self.bound == "min" else ("above", "maximum")
        text = next(
            (text for digits in range(3, 17) if (text := f"{self.value:.{digits}g}") != f"{self.limit:.{digits}g}"),
            str(self.value),
        )
        return f"{self.metric} {text} is {side} the gate's {word} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How a class fares: precision, recall, F1, and its number of rows."""

    label: str
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True, slots=True)
class WorstRow:
    """A row of the test table that the model gets most wrong; `weight` is its error, or the confidence in the wrong class."""

    row: int
    true: Any
    predicted: Any
    weight: float


def baseline_outcome(true: Array, baseline: Mapping[str, Any], outcome: Outcome) -> Outcome:
    """What predicting the training part's most frequent class, or its mean, gives on the same rows."""
    if "mean" in baseline:
        return Outcome(true, np.full(len(true), baseline["mean"]))
    labels = [label for label, _ in baseline["counts"]]
    counts = np.array([count for _, count in baseline["counts"]], dtype=float)
    most = np.array([labels[int(counts.argmax())]], dtype=np.asarray(true).dtype)
    if outcome.classes is None or len(outcome.classes) != len(labels):
        return Outcome(true, np.repeat(most, len(true)))
    shares = np.tile(counts / counts.sum(), (len(true), 1))
    return Outcome(true, np.repeat(most, len(true)), shares, outcome.classes)


def confusion_of(outcome: Outcome) -> tuple[list[Any], Array]:
    """The labels that occur on either side, sorted, and the counts: true × predicted."""
    labels = np.unique(np.concatenate([outcome.true, outcome.predicted]))
    return [plain(label) for label in labels], sklearn_metrics.confusion_matrix(
        outcome.true, outcome.predicted, labels=labels
    )


def class_rows(outcome: Outcome) -> list[ClassRow]:
    labels = np.unique(np.concatenate([outcome.true, outcome.predicted]))
    columns = sklearn_metrics.precision_recall_fscore_support(
        outcome.true, outcome.predicted, labels=labels, zero_division=0.0
    )
    return [
        ClassRow(str(plain(label)), float(p), float(r), float(f), int(n))
        for label, p, r, f, n in zip(labels, *columns, strict=True)
    ]


def worst_rows(outcome: Outcome, task: Task) -> list[WorstRow]:
    """The largest errors, or the wrong classes that the model was surest of. Rows count from 0."""
    if task == "regression":
        weights = np.abs(outcome.predicted - outcome.true)
    else:
        wrong = outcome.predicted != outcome.true
        weights = wrong * (outcome.probabilities.max(axis=1) if outcome.probabilities is not None else 1.0)
    order = [int(row) for row in np.argsort(-weights, kind="stable")[:_WORST] if weights[row] > 0]
    return [
        WorstRow(row, plain(outcome.true[row]), plain(outcome.predicted[row]), float(weights[row])) for row in order
    ]


def importances(model: Any, features: pd.DataFrame, true: Array, score: Score) -> list[tuple[str, float]]:
    """How much worse `score` becomes when one column is shuffled: the largest ones, on at most 1,000 rows."""
    chosen = np.unique(np.linspace(0, len(true) - 1, min(len(true), _IMPORTANCE_ROWS)).astype(int))
    rows, answers = features.iloc[chosen].reset_index(drop=True), true[chosen]
    random = np.random.RandomState(0)
    sign = 1.0 if score.lower else -1.0
    whole = score.compute(Outcome(answers, model.predict(rows)))
    losses: list[tuple[str, float]] = []
    for name in rows.columns:
        changes = []
        for _ in range(_REPEATS if rows.shape[1] <= _MANY_FEATURES else 1):
            shuffled = rows.assign(**{name: rows[name].take(random.permutation(len(rows))).reset_index(drop=True)})
            changes.append(sign * (score.compute(Outcome(answers, model.predict(shuffled))) - whole))
        losses.append((str(name), float(np.mean(changes))))
    return [entry for entry in sorted(losses, key=lambda entry: -entry[1])[:_IMPORTANT] if entry[1] > 0]


def gate_checks(gate: Mapping[str, Mapping[str, float]], values: Mapping[str, float]) -> list[Check]:
    return [Check(name, bound, limit, values[name]) for name, bounds in gate.items() for bound, limit in bounds.items()]


def computed(scores: Sequence[Score], outcome: Outcome) -> dict[str, float]:
    """The values of the scores that fit this outcome, by name."""
    return {score.name: score.compute(outcome) for score in scores if score.fits(outcome)}

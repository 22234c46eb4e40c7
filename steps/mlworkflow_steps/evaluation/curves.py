"""Curves of a classifier: hits against false alarms, precision against recall, confidence against truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import metrics

from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.models.scores import Array, Outcome, indicators

MOST_CURVES = 6
_MOST_POINTS = 120
_BINS = 10


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve of one class against the rest; `area` is the area below it (of precision and recall: average precision), `share` the class's share of the rows."""

    label: str
    across: list[float]
    up: list[float]
    area: float
    share: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Rows by what the model said (`said`, the mean in each bin) and how often it was so (`found`); `of` says of what."""

    of: str
    said: list[float]
    found: list[float]
    rows: list[int]


def roc(outcome: Outcome) -> list[Curve]:
    """Of two classes the second; of more, those with the smallest area, six at most."""
    curves = []
    for label, true, strength in _each(outcome):
        false_positive, true_positive, _ = metrics.roc_curve(true, strength)
        area = float(metrics.auc(false_positive, true_positive))
        curves.append(Curve(label, *_thinned(false_positive, true_positive), area, float(true.mean())))
    return sorted(curves, key=lambda curve: curve.area)[:MOST_CURVES]


def precision_recall(outcome: Outcome) -> list[Curve]:
    """As `roc`: recall across, precision up."""
    curves = []
    for label, true, strength in _each(outcome):
        precision, recall, _ = metrics.precision_recall_curve(true, strength)
        area = float(metrics.average_precision_score(true, strength))
        curves.append(Curve(label, *_thinned(recall[::-1], precision[::-1]), area, float(true.mean())))
    return sorted(curves, key=lambda curve: curve.area)[:MOST_CURVES]


def calibration(outcome: Outcome) -> Calibration:
    """Of two classes the second's probability; of more the one of the predicted class; of several labels every one's."""
    assert outcome.probabilities is not None
    if outcome.true.ndim == 2:
        of, said, found = "a label", outcome.probabilities.ravel(), outcome.true.ravel().astype(float)
    elif outcome.probabilities.shape[1] == 2:
        assert outcome.classes is not None
        of, said, found = f"class {plain(outcome.classes[1])}", outcome.probabilities[:, 1], indicators(outcome)[:, 1]
    else:
        of, said = "the predicted class", outcome.probabilities.max(axis=1)
        found = (outcome.predicted == outcome.true).astype(float)
    bins = np.minimum((said * _BINS).astype(int), _BINS - 1)
    rows = np.bincount(bins, minlength=_BINS)
    used = np.flatnonzero(rows)
    means = [np.bincount(bins, weights=values, minlength=_BINS)[used] / rows[used] for values in (said, found)]
    return Calibration(of, means[0].tolist(), means[1].tolist(), rows[used].tolist())


def _each(outcome: Outcome) -> list[tuple[str, Array, Array]]:
    """Each class that is there and is not all there is: its name, whether a row is of it, and its probability."""
    assert outcome.probabilities is not None
    found, names = indicators(outcome), outcome.classes if outcome.classes is not None else range(outcome.true.shape[1])
    places: Any = [1] if outcome.true.ndim == 1 and found.shape[1] == 2 else range(found.shape[1])
    return [
        (str(plain(names[place])), found[:, place], outcome.probabilities[:, place])
        for place in places
        if 0 < found[:, place].sum() < len(found)
    ]


def _thinned(across: Array, up: Array) -> tuple[list[float], list[float]]:
    """At most 120 points, evenly along the curve, its ends among them."""
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(across), np.diff(up)))])
    places = np.unique(np.searchsorted(length, np.linspace(0, length[-1], _MOST_POINTS)).clip(0, len(across) - 1))
    chosen = np.unique(np.concatenate([[0], places, [len(across) - 1]]))
    return [round(float(value), 4) for value in across[chosen]], [round(float(value), 4) for value in up[chosen]]

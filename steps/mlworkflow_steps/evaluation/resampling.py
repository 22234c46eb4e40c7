"""The metrics of hundreds of resamples at once: the same numbers as `models.scores` gives, from how often each row was drawn.

A resample is a row of `Weights`. scikit-learn takes one resample at a time, a millisecond and more for each metric; with
hundreds of resamples, metrics and slices that would be most of an evaluation's time. A test holds every function here against `models.scores`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from mlworkflow_steps.models.scores import Array, Outcome, indicators, residuals_of, squared_distances

Weights: TypeAlias = Array
"""Resamples × rows: how often each row was drawn."""

Resampled: TypeAlias = Callable[[Outcome, Weights], Array]
"""A value for each resample; nan where the metric is undefined."""


def _share(top: Array, bottom: Array) -> Array:
    """`top / bottom`, 0 where there is nothing to divide by."""
    return np.asarray(np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom != 0))


def _mean(weights: Weights, values: Array) -> Array:
    return np.asarray(weights @ np.asarray(values, dtype=float) / weights.sum(axis=1))


class _Tally:
    """Of each resample and class: rows of the class (`true`), rows predicted as it, and rows that are both (`hits`)."""

    def __init__(self, outcome: Outcome, weights: Weights) -> None:
        if outcome.true.ndim == 2:
            true, predicted = outcome.true.astype(float), outcome.predicted.astype(float)
        else:
            labels, codes = np.unique(np.concatenate([outcome.true, outcome.predicted]), return_inverse=True)
            true, predicted = np.split(np.eye(len(labels))[codes], 2)
        self.rows = weights.sum(axis=1)
        self.true, self.predicted, self.hits = weights @ true, weights @ predicted, weights @ (true * predicted)
        # Classes that a resample does not have at all count in no mean; of several labels every one counts.
        self.counted = (
            (self.true + self.predicted > 0) if outcome.true.ndim == 1 else np.ones_like(self.true, dtype=bool)
        )

    @property
    def precision(self) -> Array:
        return _share(self.hits, self.predicted)

    @property
    def recall(self) -> Array:
        return _share(self.hits, self.true)

    @property
    def f1(self) -> Array:
        return _share(2 * self.hits, self.true + self.predicted)

    def macro(self, values: Array) -> Array:
        return np.asarray((values * self.counted).sum(axis=1) / self.counted.sum(axis=1))

    def weighted(self, values: Array) -> Array:
        return _share((values * self.true).sum(axis=1), self.true.sum(axis=1))


def _balanced(outcome: Outcome, weights: Weights) -> Array:
    tally = _Tally(outcome, weights)
    return np.asarray(tally.recall.sum(axis=1) / (tally.true > 0).sum(axis=1))


def _mcc(outcome: Outcome, weights: Weights) -> Array:
    tally = _Tally(outcome, weights)
    rows, true, predicted = tally.rows, tally.true, tally.predicted
    top = tally.hits.sum(axis=1) * rows - (true * predicted).sum(axis=1)
    bottom = (rows**2 - (true**2).sum(axis=1)) * (rows**2 - (predicted**2).sum(axis=1))
    return _share(top, np.sqrt(bottom))


def _kappa(outcome: Outcome, weights: Weights) -> Array:
    tally = _Tally(outcome, weights)
    chance = (tally.true * tally.predicted).sum(axis=1) / tally.rows**2
    found = tally.hits.sum(axis=1) / tally.rows
    return np.where(chance < 1, _share(found - chance, 1 - chance), np.nan)


def _of_class(what: str, which: int) -> Resampled:
    """Precision, recall or F1 of one of the two classes."""

    def compute(outcome: Outcome, weights: Weights) -> Array:
        assert outcome.classes is not None
        wanted = outcome.classes[which]
        binary = Outcome(
            (outcome.true == wanted).astype(int)[:, None], (outcome.predicted == wanted).astype(int)[:, None]
        )
        return np.asarray(getattr(_Tally(binary, weights), what)[:, 0])

    return compute


def _ranked(weights: Weights, found: Array, strength: Array) -> tuple[Array, Array]:
    """Found and other rows by falling strength, equal ones together: resamples × steps."""
    order = np.argsort(-strength, kind="stable")
    starts = np.flatnonzero(np.diff(strength[order], prepend=np.inf))
    drawn, found = weights[:, order], found[order]
    return np.add.reduceat(drawn * found, starts, axis=1), np.add.reduceat(drawn * (1 - found), starts, axis=1)


def _auc(hits: Array, alarms: Array) -> Array:
    above = np.cumsum(hits, axis=1) - hits / 2
    bottom = hits.sum(axis=1) * alarms.sum(axis=1)
    return np.where(bottom > 0, _share((alarms * above).sum(axis=1), bottom), np.nan)


def _precision_along(hits: Array, alarms: Array) -> Array:
    found = np.cumsum(hits, axis=1)
    precision = _share(found, found + np.cumsum(alarms, axis=1))
    return np.where(found[:, -1] > 0, _share((hits * precision).sum(axis=1), found[:, -1]), np.nan)


def _over_classes(measure: Callable[[Array, Array], Array]) -> Resampled:
    """The mean over the classes, each against the rest; of two classes the second alone."""

    def compute(outcome: Outcome, weights: Weights) -> Array:
        found, strengths = indicators(outcome), np.asarray(outcome.probabilities)
        chosen = [1] if outcome.true.ndim == 1 and found.shape[1] == 2 else range(found.shape[1])
        values = np.array([measure(*_ranked(weights, found[:, place], strengths[:, place])) for place in chosen])
        missing = np.isnan(values)
        return np.where(
            missing.all(axis=0), np.nan, _share(np.where(missing, 0, values).sum(axis=0), (~missing).sum(axis=0))
        )

    return compute


def _log_loss(outcome: Outcome, weights: Weights) -> Array:
    probabilities = np.asarray(outcome.probabilities)
    tiny = np.finfo(probabilities.dtype).eps
    right = np.clip((probabilities * indicators(outcome)).sum(axis=1), tiny, 1 - tiny)
    return _mean(weights, -np.log(right))


def _explained(outcome: Outcome, weights: Weights, centred: bool) -> Array:
    errors, true = residuals_of(outcome), np.asarray(outcome.true, dtype=float)
    true = true - true.mean()
    left = _mean(weights, errors**2) - (_mean(weights, errors) ** 2 if centred else 0.0)
    spread = _mean(weights, true**2) - _mean(weights, true) ** 2
    return np.where(spread > 0, 1 - _share(left, spread), np.nan)


def _median_error(outcome: Outcome, weights: Weights) -> Array:
    """The mean of the two middle errors, which are one where the number of rows is odd."""
    errors = np.abs(residuals_of(outcome))
    order = np.argsort(errors, kind="stable")
    drawn = np.cumsum(weights[:, order], axis=1)
    half = drawn[:, -1:] / 2
    lower, upper = np.argmax(drawn >= half, axis=1), np.argmax(drawn > half, axis=1)
    return np.asarray((errors[order][lower] + errors[order][upper]) / 2)


def _jaccard(outcome: Outcome) -> Array:
    true, predicted = outcome.true.astype(bool), outcome.predicted.astype(bool)
    return _share((true & predicted).sum(axis=1), (true | predicted).sum(axis=1))


def _f1_by_row(outcome: Outcome) -> Array:
    true, predicted = outcome.true.astype(bool), outcome.predicted.astype(bool)
    return _share(2.0 * (true & predicted).sum(axis=1), true.sum(axis=1) + predicted.sum(axis=1))


def _f1_micro(outcome: Outcome, weights: Weights) -> Array:
    tally = _Tally(outcome, weights)
    return _share(2 * tally.hits.sum(axis=1), (tally.true + tally.predicted).sum(axis=1))


def _mean_of(values: Callable[[Outcome], Array]) -> Resampled:
    return lambda outcome, weights: _mean(weights, values(outcome))


def _of_each(measure: Resampled) -> Resampled:
    """Of several quantities the mean of what it is of each."""

    def compute(outcome: Outcome, weights: Weights) -> Array:
        if outcome.true.ndim == 1:
            return measure(outcome, weights)
        columns = zip(outcome.true.T, outcome.predicted.T, strict=True)
        return np.asarray(np.mean([measure(Outcome(*column), weights) for column in columns], axis=0))

    return compute


RESAMPLED: dict[str, Resampled] = {
    "accuracy": _mean_of(lambda outcome: outcome.true == outcome.predicted),
    "balanced_accuracy": _balanced,
    "f1_macro": lambda outcome, weights: (tally := _Tally(outcome, weights)).macro(tally.f1),
    "f1_weighted": lambda outcome, weights: (tally := _Tally(outcome, weights)).weighted(tally.f1),
    "precision_macro": lambda outcome, weights: (tally := _Tally(outcome, weights)).macro(tally.precision),
    "recall_macro": lambda outcome, weights: (tally := _Tally(outcome, weights)).macro(tally.recall),
    "f1": _of_class("f1", 1),
    "precision": _of_class("precision", 1),
    "recall": _of_class("recall", 1),
    "specificity": _of_class("recall", 0),
    "mcc": _mcc,
    "kappa": _kappa,
    "roc_auc": _over_classes(_auc),
    "average_precision": _over_classes(_precision_along),
    "log_loss": _log_loss,
    "brier": _mean_of(squared_distances),
    "rmse": _of_each(lambda outcome, weights: np.sqrt(_mean(weights, residuals_of(outcome) ** 2))),
    "mae": _of_each(_mean_of(lambda outcome: np.abs(residuals_of(outcome)))),
    "r2": _of_each(lambda outcome, weights: _explained(outcome, weights, centred=False)),
    "mape": _of_each(_mean_of(lambda outcome: np.abs(residuals_of(outcome) / np.asarray(outcome.true, dtype=float)))),
    "median_error": _of_each(_median_error),
    "rmsle": _of_each(
        lambda outcome, weights: np.sqrt(_mean(weights, (np.log1p(outcome.predicted) - np.log1p(outcome.true)) ** 2))
    ),
    "explained_variance": _of_each(lambda outcome, weights: _explained(outcome, weights, centred=True)),
    "subset_accuracy": _mean_of(lambda outcome: (outcome.true == outcome.predicted).all(axis=1)),
    "hamming_loss": _mean_of(lambda outcome: (outcome.true != outcome.predicted).mean(axis=1)),
    "f1_micro": _f1_micro,
    "f1_samples": _mean_of(_f1_by_row),
    "jaccard_samples": _mean_of(_jaccard),
}
"""The metrics that have intervals. The largest error has none, for no resample can have a larger one; neither have a calibration error,
which grows with every resample, and what compares groups as a whole."""

"""The metrics that `train` cross-validates with and `evaluate` reports: one table, one meaning of each name everywhere.

Errors are positive, lower is better. A metric that needs more than labels is there only where the model, or the table, gives it. Of several quantities a
metric is the mean of what it is of each, apart from the largest error, which is the largest of any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn import metrics

from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import StepFailure

Array = np.ndarray[Any, np.dtype[Any]]
Needs = Literal["labels", "probabilities", "two classes", "no zeros", "nothing below zero", "known groups", "features"]

_CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """True values, what a model predicts for them, and, for classes, their probabilities (rows × `classes`).

    Of several labels `true` and `predicted` are rows × labels of 0 and 1, and `classes` the labels' names; of several quantities rows × quantities, and theirs. Of clusters `true` is
    the known grouping, or empty, `predicted` the cluster of each row, and `features` what they were formed by (rows × numbers).
    """

    true: Array
    predicted: Array
    probabilities: Array | None = None
    classes: Array | None = None
    features: Array | None = None

    def at(self, rows: Array) -> Outcome:
        """The same of some rows: positions, or a mask."""
        parts = (self.true[rows] if len(self.true) else self.true, self.predicted[rows])
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return Outcome(*parts, probabilities, self.classes, None if self.features is None else self.features[rows])


@dataclass(frozen=True, slots=True)
class Score:
    """A metric: `title` for people, `lower` where lower is better."""

    name: str
    title: str
    tasks: tuple[Task, ...]
    compute: Callable[[Outcome], float]
    lower: bool = False
    needs: Needs = "labels"

    def fits(self, outcome: Outcome) -> bool:
        return _FITS[self.needs](outcome)

    def better_by(self, value: float, other: float) -> float:
        """By how much `value` is better than `other`; below zero: how much worse."""
        return other - value if self.lower else value - other


def _has_probabilities(outcome: Outcome) -> bool:
    """A class that is missing from either side leaves a metric of probabilities undefined."""
    if outcome.probabilities is None or outcome.classes is None:
        return False
    if outcome.true.ndim == 2:
        return bool(np.all(outcome.true.any(axis=0) & ~outcome.true.all(axis=0)))
    return set(outcome.classes) == set(outcome.true)


_FITS: dict[Needs, Callable[[Outcome], bool]] = {
    "labels": lambda outcome: True,
    "probabilities": _has_probabilities,
    "two classes": lambda outcome: outcome.classes is not None and len(outcome.classes) == 2 and set(outcome.true) <= set(outcome.classes),
    "no zeros": lambda outcome: bool(np.all(np.asarray(outcome.true) != 0)),
    "nothing below zero": lambda outcome: bool(np.all(outcome.true >= 0) and np.all(outcome.predicted >= 0)),
    "known groups": lambda outcome: len(outcome.true) > 0,
    "features": lambda outcome: outcome.features is not None and 2 <= len(np.unique(outcome.predicted)) < len(outcome.predicted),
}  # fmt: skip


def _of(function: Callable[..., float], **options: Any) -> Callable[[Outcome], float]:
    return lambda outcome: float(function(outcome.true, outcome.predicted, **options))


def _averaged(function: Callable[..., float], average: str) -> Callable[[Outcome], float]:
    return _of(function, average=average, zero_division=0.0)


def _of_the_second(function: Callable[..., float], which: int = 1) -> Callable[[Outcome], float]:
    """Of two classes the second is the one to find: 1 of 0 and 1, True of False and True."""

    def compute(outcome: Outcome) -> float:
        assert outcome.classes is not None
        wanted = outcome.classes[which]
        return float(function(outcome.true == wanted, outcome.predicted == wanted, zero_division=0.0))

    return compute


def _of_features(function: Callable[..., float]) -> Callable[[Outcome], float]:
    return lambda outcome: float(function(outcome.features, outcome.predicted))


def _log_loss(outcome: Outcome) -> float:
    return float(metrics.log_loss(outcome.true, outcome.probabilities, labels=outcome.classes))


def _roc_auc(outcome: Outcome) -> float:
    assert outcome.probabilities is not None
    if outcome.true.ndim == 2:
        return float(metrics.roc_auc_score(outcome.true, outcome.probabilities, average="macro"))
    if outcome.probabilities.shape[1] == 2:
        return float(metrics.roc_auc_score(outcome.true, outcome.probabilities[:, 1]))
    return float(metrics.roc_auc_score(outcome.true, outcome.probabilities, multi_class="ovr", labels=outcome.classes))


def _average_precision(outcome: Outcome) -> float:
    """Of two classes that of the second, else the mean over the classes, each against the rest."""
    assert outcome.probabilities is not None
    found, probabilities = indicators(outcome), outcome.probabilities
    if outcome.true.ndim == 1 and probabilities.shape[1] == 2:
        found, probabilities = found[:, 1:], probabilities[:, 1:]
    return float(metrics.average_precision_score(found, probabilities, average="macro"))


def _brier(outcome: Outcome) -> float:
    return float(squared_distances(outcome).mean())


def _calibration_error(outcome: Outcome) -> float:
    return float(np.abs(confidence_gaps(outcome).sum(axis=0)).sum() / len(outcome.true))


def _max_error(outcome: Outcome) -> float:
    return float(np.abs(residuals_of(outcome)).max())


def residuals_of(outcome: Outcome) -> Array:
    """Of a quantity, or several: predicted − true."""
    found: Array = np.asarray(outcome.predicted, dtype=float) - np.asarray(outcome.true, dtype=float)
    return found


def spreads_of(true: Array) -> Array:
    """The standard deviation of each of several quantities; 1 of one that is always the same."""
    spreads: Array = np.std(true, axis=0)
    return np.where(spreads > 0, spreads, 1.0)


def indicators(outcome: Outcome) -> Array:
    """Rows × classes: 1 where the row is of the class."""
    if outcome.true.ndim == 2:
        return np.asarray(outcome.true, dtype=float)
    assert outcome.classes is not None
    return np.asarray(outcome.true[:, None] == np.asarray(outcome.classes)[None, :], dtype=float)


def squared_distances(outcome: Outcome) -> Array:
    """How far each row's probabilities are from the truth; of two classes the second's distance alone."""
    distances = (np.asarray(outcome.probabilities) - indicators(outcome)) ** 2
    return distances[:, 1] if distances.shape[1] == 2 else distances.sum(axis=1)


def confidence_gaps(outcome: Outcome) -> Array:
    """Rows × ten bins of confidence in the predicted class: confidence − whether it is right, in the row's bin."""
    assert outcome.probabilities is not None
    confidence = outcome.probabilities.max(axis=1)
    bins = np.minimum((confidence * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    gaps = np.zeros((len(confidence), _CALIBRATION_BINS))
    gaps[np.arange(len(confidence)), bins] = confidence - (outcome.predicted == outcome.true)
    return gaps


_CLASSES: tuple[Task, ...] = ("classification",)
_LABELS: tuple[Task, ...] = ("multilabel",)
_CLASSES_OR_LABELS: tuple[Task, ...] = ("classification", "multilabel")
_QUANTITY: tuple[Task, ...] = ("regression", "multioutput")
_GROUPS: tuple[Task, ...] = ("clustering",)

SCORES: dict[str, Score] = {}
for _score in (
    Score("accuracy", "Accuracy", _CLASSES, _of(metrics.accuracy_score)),
    Score("balanced_accuracy", "Balanced accuracy", _CLASSES, _of(metrics.balanced_accuracy_score)),
    Score("f1_macro", "F1 (macro)", _CLASSES_OR_LABELS, _averaged(metrics.f1_score, "macro")),
    Score("f1_weighted", "F1 (weighted)", _CLASSES_OR_LABELS, _averaged(metrics.f1_score, "weighted")),
    Score("precision_macro", "Precision (macro)", _CLASSES_OR_LABELS, _averaged(metrics.precision_score, "macro")),
    Score("recall_macro", "Recall (macro)", _CLASSES_OR_LABELS, _averaged(metrics.recall_score, "macro")),
    Score("f1", "F1", _CLASSES, _of_the_second(metrics.f1_score), needs="two classes"),
    Score("precision", "Precision", _CLASSES, _of_the_second(metrics.precision_score), needs="two classes"),
    Score("recall", "Recall", _CLASSES, _of_the_second(metrics.recall_score), needs="two classes"),
    Score("specificity", "Specificity", _CLASSES, _of_the_second(metrics.recall_score, 0), needs="two classes"),
    Score("mcc", "Matthews correlation", _CLASSES, _of(metrics.matthews_corrcoef)),
    Score("kappa", "Cohen's kappa", _CLASSES, _of(metrics.cohen_kappa_score)),
    Score("roc_auc", "ROC AUC", _CLASSES_OR_LABELS, _roc_auc, needs="probabilities"),
    Score("average_precision", "Average precision", _CLASSES_OR_LABELS, _average_precision, needs="probabilities"),
    Score("log_loss", "Log loss", _CLASSES, _log_loss, lower=True, needs="probabilities"),
    Score("brier", "Brier score", _CLASSES, _brier, lower=True, needs="probabilities"),
    Score("calibration_error", "Calibration error", _CLASSES, _calibration_error, lower=True, needs="probabilities"),
    Score("rmse", "RMSE", _QUANTITY, _of(metrics.root_mean_squared_error), lower=True),
    Score("mae", "MAE", _QUANTITY, _of(metrics.mean_absolute_error), lower=True),
    Score("r2", "R²", _QUANTITY, _of(metrics.r2_score)),
    Score("mape", "MAPE", _QUANTITY, _of(metrics.mean_absolute_percentage_error), lower=True, needs="no zeros"),
    Score("median_error", "Median error", _QUANTITY, _of(metrics.median_absolute_error), lower=True),
    Score("max_error", "Largest error", _QUANTITY, _max_error, lower=True),
    Score("rmsle", "RMSLE", _QUANTITY, _of(metrics.root_mean_squared_log_error), lower=True, needs="nothing below zero"),
    Score("explained_variance", "Explained variance", _QUANTITY, _of(metrics.explained_variance_score)),
    Score("subset_accuracy", "All labels right", _LABELS, _of(metrics.accuracy_score)),
    Score("hamming_loss", "Hamming loss", _LABELS, _of(metrics.hamming_loss), lower=True),
    Score("f1_micro", "F1 (micro)", _LABELS, _averaged(metrics.f1_score, "micro")),
    Score("f1_samples", "F1 (by row)", _LABELS, _averaged(metrics.f1_score, "samples")),
    Score("jaccard_samples", "Jaccard (by row)", _LABELS, _averaged(metrics.jaccard_score, "samples")),
    Score("silhouette", "Silhouette", _GROUPS, _of_features(metrics.silhouette_score), needs="features"),
    Score("davies_bouldin", "Davies-Bouldin", _GROUPS, _of_features(metrics.davies_bouldin_score), lower=True, needs="features"),
    Score("calinski_harabasz", "Calinski-Harabasz", _GROUPS, _of_features(metrics.calinski_harabasz_score), needs="features"),
    Score("adjusted_rand", "Adjusted Rand index", _GROUPS, _of(metrics.adjusted_rand_score), needs="known groups"),
    Score("adjusted_mutual_info", "Adjusted mutual information", _GROUPS, _of(metrics.adjusted_mutual_info_score), needs="known groups"),
    Score("v_measure", "V-measure", _GROUPS, _of(metrics.v_measure_score), needs="known groups"),
):  # fmt: skip
    SCORES[_score.name] = _score
DEFAULTS: dict[Task, tuple[str, ...]] = {
    "classification": ("accuracy",),
    "regression": ("rmse", "mae", "r2"),
    "multioutput": ("r2", "rmse", "mae"),
    "multilabel": ("f1_micro", "subset_accuracy", "hamming_loss"),
    "clustering": ("silhouette",),
}


def scores_of(task: Task) -> list[Score]:
    """Every metric of a task."""
    return [score for score in SCORES.values() if task in score.tasks]


def scores_named(names: Sequence[str], task: Task, path: str) -> list[Score]:
    """The metrics of these names. Raises StepFailure (MetricUnknown) that lists the known ones."""
    known = [score.name for score in scores_of(task)]
    for name in names:
        if name not in known:
            raise StepFailure(
                "MetricUnknown", f"{path}: '{name}' is no metric of a {task}; known are: {', '.join(known)}"
            )
    return [SCORES[name] for name in names]


def computed(scores: Sequence[Score], outcome: Outcome) -> dict[str, float]:
    """The values of the scores that fit this outcome, by name; what has no finite value is left out."""
    values = {score.name: score.compute(outcome) for score in scores if score.fits(outcome)}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def outcome_of(model: Any, features: pd.DataFrame, true: Array) -> Outcome:
    """What the fitted model says about these rows."""
    predicted, classes = model.predict(features), getattr(model, "classes_", None)
    if not hasattr(model, "predict_proba"):
        return Outcome(true, predicted, None, classes)
    return Outcome(true, predicted, probabilities_of(model, features), classes)


def probabilities_of(model: Any, features: Any) -> Array:
    """What it says of a frame or a matrix: rows × classes; of several labels, of which some estimators leave a table each, rows × labels."""
    found: Array | list[Array] = model.predict_proba(features)
    if not isinstance(found, list):
        return found
    each = zip(found, model.classes_, strict=True)
    return np.column_stack(
        [table[:, list(known).index(1)] if 1 in known else np.zeros(len(table)) for table, known in each]
    )

"""The metrics that `train` cross-validates with and `evaluate` reports: one table, one meaning of each name everywhere.

Errors are positive, lower is better. A metric that needs probabilities is there only where the model gives them.
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
Needs = Literal["labels", "probabilities", "no zeros"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """True values, what a model predicts for them, and, for classes, their probabilities (rows × `classes`)."""

    true: Array
    predicted: Array
    probabilities: Array | None = None
    classes: Array | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A metric: `title` for people, `lower` where lower is better."""

    name: str
    title: str
    task: Task
    compute: Callable[[Outcome], float]
    lower: bool = False
    needs: Needs = "labels"

    def fits(self, outcome: Outcome) -> bool:
        if self.needs == "probabilities":
            # A class that is missing from either side leaves the metric undefined.
            return (
                outcome.probabilities is not None
                and outcome.classes is not None
                and set(outcome.classes) == set(outcome.true)
            )
        return self.needs == "labels" or bool(np.all(np.asarray(outcome.true) != 0))


def _log_loss(outcome: Outcome) -> float:
    return float(metrics.log_loss(outcome.true, outcome.probabilities, labels=outcome.classes))


def _roc_auc(outcome: Outcome) -> float:
    assert outcome.probabilities is not None
    if outcome.probabilities.shape[1] == 2:
        return float(metrics.roc_auc_score(outcome.true, outcome.probabilities[:, 1]))
    return float(metrics.roc_auc_score(outcome.true, outcome.probabilities, multi_class="ovr", labels=outcome.classes))


def _averaged(function: Callable[..., float], average: str) -> Callable[[Outcome], float]:
    return lambda outcome: float(function(outcome.true, outcome.predicted, average=average, zero_division=0.0))


def _of(function: Callable[..., float]) -> Callable[[Outcome], float]:
    return lambda outcome: float(function(outcome.true, outcome.predicted))


SCORES: dict[str, Score] = {
    score.name: score
    for score in (
        Score("accuracy", "Accuracy", "classification", _of(metrics.accuracy_score)),
        Score("balanced_accuracy", "Balanced accuracy", "classification", _of(metrics.balanced_accuracy_score)),
        Score("f1_macro", "F1 (macro)", "classification", _averaged(metrics.f1_score, "macro")),
        Score("f1_weighted", "F1 (weighted)", "classification", _averaged(metrics.f1_score, "weighted")),
        Score("precision_macro", "Precision (macro)", "classification", _averaged(metrics.precision_score, "macro")),
        Score("recall_macro", "Recall (macro)", "classification", _averaged(metrics.recall_score, "macro")),
        Score("roc_auc", "ROC AUC", "classification", _roc_auc, needs="probabilities"),
        Score("log_loss", "Log loss", "classification", _log_loss, lower=True, needs="probabilities"),
        Score("rmse", "RMSE", "regression", _of(metrics.root_mean_squared_error), lower=True),
        Score("mae", "MAE", "regression", _of(metrics.mean_absolute_error), lower=True),
        Score("r2", "R²", "regression", _of(metrics.r2_score)),
        Score("subset_accuracy", "Accuracy (all labels right)", "multilabel", _of(metrics.accuracy_score)),
        Score("hamming_loss", "Hamming loss", "multilabel", _of(metrics.hamming_loss), lower=True),
        Score("f1_micro", "F1 (micro)", "multilabel", _averaged(metrics.f1_score, "micro")),
        Score("f1_labels", "F1 (mean of the labels)", "multilabel", _averaged(metrics.f1_score, "macro")),
        Score("f1_samples", "F1 (mean of the rows)", "multilabel", _averaged(metrics.f1_score, "samples")),
        Score(
            "jaccard_samples", "Jaccard (mean of the rows)", "multilabel", _averaged(metrics.jaccard_score, "samples")
        ),
        Score("mape", "MAPE", "regression", _of(metrics.mean_absolute_percentage_error), lower=True, needs="no zeros"),
    )
}
DEFAULTS: dict[Task, tuple[str, ...]] = {
    "classification": ("accuracy",),
    "regression": ("rmse", "mae", "r2"),
    "multilabel": ("f1_micro", "subset_accuracy", "hamming_loss"),
}


def scores_named(names: Sequence[str], task: Task, path: str) -> list[Score]:
    """The metrics of these names. Raises StepFailure (MetricUnknown) that lists the known ones."""
    known = [score.name for score in SCORES.values() if score.task == task]
    for name in names:
        if name not in known:
            raise StepFailure(
                "MetricUnknown", f"{path}: '{name}' is no metric of a {task}; known are: {', '.join(known)}"
            )
    return [SCORES[name] for name in names]


def outcome_of(model: Any, features: pd.DataFrame, true: Array) -> Outcome:
    """What the fitted model says about these rows."""
    predicted = model.predict(features)
    if not hasattr(model, "predict_proba"):
        return Outcome(true, predicted)
    return Outcome(true, predicted, model.predict_proba(features), model.classes_)

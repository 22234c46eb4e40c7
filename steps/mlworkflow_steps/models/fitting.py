"""How a training step fits: one recipe for the folds of a cross-validation, the whole table, and every partition of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import StepFailure, first_line
from mlworkflow_steps.models.crossval import CrossValidation, Fold, score_fold
from mlworkflow_steps.models.estimator import Estimator, seed_globally
from mlworkflow_steps.models.progress import Progress
from mlworkflow_steps.models.rows import Rows
from mlworkflow_steps.models.scores import Score
from mlworkflow_steps.models.stopping import EarlyStopping, Report, Stopped, fit_in_rounds
from mlworkflow_steps.models.weights import ClassWeight, row_weights, weight_argument

_WRAPPERS: dict[Task, str] = {
    "multilabel": "sklearn.multiclass.OneVsRestClassifier makes a model of several labels",
    "multioutput": "sklearn.multioutput.MultiOutputRegressor makes a model of several quantities",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """An unfitted estimator and all that a fit of it depends on besides the rows."""

    estimator: Estimator
    task: Task
    seed: int
    class_weight: ClassWeight | None = None
    stopping: EarlyStopping | None = None

    def fit(self, rows: Rows, validation: Rows | None = None, report: Report = lambda rounds, value: None) -> Stopped:
        """A fitted copy; `rounds` of it is 0 without early stopping. Raises StepFailure (FitFailed) with the estimator's own words."""
        seed_globally(self.seed)
        try:
            if self.stopping is not None:
                return fit_in_rounds(
                    self.estimator, rows, validation, stopping=self.stopping, score=self.stopping.score_of(self.task),
                    class_weight=self.class_weight, seed=self.seed, report=report,
                )  # fmt: skip
            arguments = weight_argument(self.estimator, row_weights(rows, self.class_weight))
            return Stopped(clone(self.estimator).fit(rows.features, rows.true, **arguments), 0, float("nan"))
        except (ValueError, TypeError) as error:
            hint = f"; {_WRAPPERS[self.task]} of it" if self.task in _WRAPPERS else ""
            raise StepFailure(
                "FitFailed", f"the estimator refuses the data or its parameters: {first_line(error)}{hint}"
            ) from error

    def cross_validate(
        self, rows: Rows, validation: CrossValidation, scores: Sequence[Score], progress: Progress, prefix: str = ""
    ) -> Iterator[dict[str, float]]:
        """Each fold's scores by name, a fold at a time; those that an attempt before has had are not computed again."""

        folds = validation.divide(self.task, rows)
        for number, fold in enumerate(folds, start=1):
            compute = functools.partial(self._fold_scores, rows, fold, number, scores)
            yield progress.value(f"{prefix}fold-{number}", compute)

    def _fold_scores(self, rows: Rows, fold: Fold, number: int, scores: Sequence[Score]) -> dict[str, float]:
        try:
            return score_fold(lambda learn: self.fit(learn).model, rows, fold, number, scores)
        except (ValueError, TypeError) as error:
            raise StepFailure("FitFailed", f"train.cv: {first_line(error)}") from error


def summary(folds: Sequence[dict[str, float]]) -> dict[str, float]:
    """`cv_<score>`, the mean over the folds, and `cv_<score>_std`."""
    metrics: dict[str, float] = {}
    for name in folds[0] if folds else ():
        values = [fold[name] for fold in folds]
        metrics[f"cv_{name}"] = float(np.mean(values))
        metrics[f"cv_{name}_std"] = float(np.std(values))
    return metrics

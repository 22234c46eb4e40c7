"""One model from its rows to its bundle: folds, fit, scores. Of a partitioned model, the parent and each partition go through here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlworkflow_steps.data.table import Task
from mlworkflow_steps.models.clusters import cluster_scores
from mlworkflow_steps.models.crossval import CrossValidation
from mlworkflow_steps.models.estimator import Estimator
from mlworkflow_steps.models.fitting import Recipe, summary
from mlworkflow_steps.models.progress import Progress
from mlworkflow_steps.models.rows import Rows
from mlworkflow_steps.models.scores import DEFAULTS, Score, outcome_of, scores_named

Observe = Callable[[str, float, int | None], None]
"""(name, value, step): a metric as it comes."""
Keep = Callable[[Path, Estimator, Rows, Mapping[str, float]], None]
"""(where to, the fitted model, what it was fitted to, its metrics): leaves a bundle."""


def unseen(name: str, value: float, step: int | None) -> None:
    """Nobody looks at the metrics of this model while it is trained."""


@dataclass(frozen=True, slots=True)
class Trainer:
    """How a step trains its models. `validation` are rows of their own, which no model is fitted to."""

    recipe: Recipe
    cv: CrossValidation | None
    scoring: Sequence[str] | None
    validation: Rows | None
    progress: Progress
    keep: Keep

    @property
    def task(self) -> Task:
        return self.recipe.task

    def scores(self) -> list[Score]:
        """Those of the folds and of the rows to validate with. Raises StepFailure (MetricUnknown)."""
        return scores_named(DEFAULTS[self.task] if self.scoring is None else self.scoring, self.task, "train.scoring")

    def folds(self, rows: Rows, prefix: str = "", observe: Observe = unseen) -> list[dict[str, float]]:
        """Each fold's scores by name; none without cross-validation. Observed: `fold_<score>`, and `cv_<score>` as the mean so far."""
        if self.cv is None:
            return []
        found: list[dict[str, float]] = []
        for values in self.recipe.cross_validate(rows, self.cv, self.scores(), self.progress, prefix):
            found.append(values)
            for name, value in values.items():
                observe(f"fold_{name}", value, len(found))
                observe(f"cv_{name}", float(np.mean([fold[name] for fold in found])), len(found))
        return found

    def fit(self, path: Path, rows: Rows, known: Mapping[str, float], observe: Observe = unseen) -> dict[str, float]:
        """Fits to all rows and leaves the bundle at `path`: its metrics, `known` among them."""
        stopping = self.recipe.stopping
        watched = "" if stopping is None else f"validation_{stopping.score_of(self.task).name}"
        started = time.perf_counter()
        fitted = self.recipe.fit(rows, self.validation, lambda rounds, value: observe(watched, value, rounds))
        observe("fit_seconds", time.perf_counter() - started, None)
        metrics = dict(known)
        if fitted.rounds:
            metrics |= {"rounds": fitted.rounds, watched: fitted.value}
        if self.validation is not None and self.task != "clustering":
            outcome = outcome_of(fitted.model, self.validation.features, self.validation.known)
            metrics |= {
                f"validation_{score.name}": score.compute(outcome) for score in self.scores() if score.fits(outcome)
            }
        if self.task == "clustering":
            metrics |= cluster_scores(fitted.model, rows, self.scoring)
        self.keep(path, fitted.model, rows, metrics)
        return metrics

    def train(self, path: Path, rows: Rows, observe: Observe) -> tuple[list[dict[str, float]], dict[str, float]]:
        """Folds and fit: each fold's scores, and the model's metrics."""
        folds = self.folds(rows, observe=observe)
        return folds, self.fit(path, rows, summary(folds), observe)

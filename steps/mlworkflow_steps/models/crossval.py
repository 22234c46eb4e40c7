"""Cross-validation, fold by fold, so that every fold's result is out as soon as it is known and a bad trial can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold

from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.models.estimator import Estimator
from mlworkflow_steps.models.scores import Array, Score, outcome_of
from mlworkflow_steps.spec import Fields

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """How the folds are made. `stratify` None: yes for classes, no for quantities."""

    folds: int = _FOLDS
    stratify: bool | None = None
    shuffle: bool = False
    seed: int = 0

    @classmethod
    def parse(cls, value: Any, path: str) -> CrossValidation:
        """A number of folds, or an object."""
        if not isinstance(value, dict):
            parent, _, name = path.rpartition(".")
            return cls(folds=Fields({name: value}, parent).integer(name, _FOLDS, at_least=2))
        fields = Fields(value, path)
        parsed = cls(
            folds=fields.integer("folds", _FOLDS, at_least=2),
            stratify=fields.boolean("stratify", default=False) if fields.has("stratify") else None,
            shuffle=fields.boolean("shuffle", default=False),
            seed=fields.integer("seed", 0, at_least=0, at_most=2**32 - 1),
        )
        fields.done()
        return parsed

    def splitter(self, task: Task, true: Array) -> KFold | StratifiedKFold:
        """Raises StepFailure where the data has too few rows for these folds."""
        stratify = task == "classification" if self.stratify is None else self.stratify
        if stratify and task == "regression":
            raise SpecInvalid("train.cv.stratify", "is for classes; this estimator predicts a quantity")
        smallest = int(np.unique(true.astype(str), return_counts=True)[1].min()) if stratify else len(true)
        if smallest < self.folds:
            raise StepFailure(
                "SplitInvalid",
                f"train.cv: {self.folds} folds need as many rows{' of every class' if stratify else ''}; there are {smallest}",
            )
        return (StratifiedKFold if stratify else KFold)(
            self.folds, shuffle=self.shuffle, random_state=self.seed if self.shuffle else None
        )


def cross_validate(
    estimator: Estimator,
    features: pd.DataFrame,
    true: Array,
    *,
    splitter: KFold | StratifiedKFold,
    scores: Sequence[Score],
    report: Callable[[int, str, list[float]], None],
) -> dict[str, list[float]]:
    """Each score's value in every fold; `report` gets (fold, score's name, its values so far) after every fold.

    Raises StepFailure (MetricUnknown) where a score cannot be computed in a fold.
    """
    values: dict[str, list[float]] = {score.name: [] for score in scores}
    for fold, (train, test) in enumerate(splitter.split(features, true), start=1):
        model = clone(estimator).fit(features.iloc[train], true[train])
        outcome = outcome_of(model, features.iloc[test], true[test])
        for score in scores:
            if not score.fits(outcome):
                raise StepFailure(
                    "MetricUnknown",
                    f"train.scoring: '{score.name}' cannot be computed in fold {fold}: it needs {score.needs}",
                )
            values[score.name].append(score.compute(outcome))
            report(fold, score.name, values[score.name])
    return values

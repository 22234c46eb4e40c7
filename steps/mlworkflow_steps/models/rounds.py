"""Estimators that are trained in rounds: what a round is for each, and how to go on from one.

`partial_fit`                                      a round is a pass over the rows
`warm_start` and `n_estimators` (forests, …)       a round is an estimator more
`warm_start` and `max_iter`, of gradient boosting  a round is an iteration
LightGBM, XGBoost                                  a round is an iteration
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier

from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models.estimator import Estimator
from mlworkflow_steps.models.scores import Array

_EPOCHS = 1
_TREES = 10


@dataclass(frozen=True, slots=True)
class Training:
    """What a part is fitted to, after the parts of the pipeline before it. `arguments` go to `fit` besides."""

    features: Any
    true: Array
    arguments: dict[str, Array]


Grow = Callable[[Estimator, Training, int, int], Estimator]
"""(part, data, rounds that it has had, rounds that it is to have) → the part that has had them."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an estimator is trained in rounds: `most` is its own number of them, `every` a fitting distance between two looks at it."""

    grow: Grow
    most: int
    every: int
    parameter: str

    def fitted(self, part: Estimator, data: Training, rounds: int) -> Estimator:
        """The unfitted `part` with exactly this many rounds, as if nothing had been tried before."""
        part = clone(part)
        if not self.parameter:
            return self.grow(part, data, 0, rounds)
        return part.set_params(**{self.parameter: rounds}).fit(data.features, data.true, **data.arguments)


def way_of(part: Estimator) -> Way:
    """How this part is trained in rounds. Raises StepFailure where it cannot be."""
    params = part.get_params(deep=False)
    library = type(part).__module__.partition(".")[0]
    if library in ("lightgbm", "xgboost"):
        return Way(_boost_on, params.get("n_estimators") or 100, _TREES, "n_estimators")
    if "warm_start" in params and "n_estimators" in params:
        return Way(_grow("n_estimators"), params["n_estimators"], _TREES, "n_estimators")
    if "warm_start" in params and type(part).__name__.startswith("HistGradientBoosting"):
        return Way(_grow("max_iter"), params["max_iter"], _TREES, "max_iter")
    if hasattr(part, "partial_fit"):
        return Way(_pass_over, params.get("max_iter") or 100, _EPOCHS, "")
    raise StepFailure(
        "EstimatorInvalid",
        f"train.earlyStopping: {type(part).__name__} is not trained in rounds; forests, gradient boosting, LightGBM, XGBoost and whatever has `partial_fit` are",
    )


def without_own_stopping(part: Estimator) -> Estimator:
    """A copy that leaves it to us when to stop: gradient boosting stops by itself from 10,000 rows on."""
    part = clone(part)
    return part.set_params(early_stopping=False) if "early_stopping" in part.get_params(deep=False) else part


def _grow(parameter: str) -> Grow:
    def grow(part: Estimator, data: Training, had: int, rounds: int) -> Estimator:
        part.set_params(**{parameter: rounds, "warm_start": True})
        return part.fit(data.features, data.true, **data.arguments)

    return grow


def _pass_over(part: Estimator, data: Training, had: int, rounds: int) -> Estimator:
    classes = {"classes": np.unique(data.true)} if is_classifier(part) else {}
    for _ in range(had, rounds):
        part.partial_fit(data.features, data.true, **classes, **data.arguments)
    return part


def _boost_on(part: Estimator, data: Training, had: int, rounds: int) -> Estimator:
    further = clone(part).set_params(n_estimators=rounds - had)
    name = "init_model" if type(part).__module__.startswith("lightgbm") else "xgb_model"
    before = {name: part if name == "init_model" else part.get_booster()} if had else {}
    return further.fit(data.features, data.true, **before, **data.arguments)

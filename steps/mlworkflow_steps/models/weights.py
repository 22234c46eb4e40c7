"""How much each row counts in fitting: a column's weights, times those of the row's class.

Both are given to `fit` as `sample_weight`, so that every estimator that can weigh rows can weigh classes too. Scores count every row once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import has_fit_parameter

from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.models.estimator import Estimator
from mlworkflow_steps.models.rows import Rows, given
from mlworkflow_steps.models.scores import Array

ClassWeight = str | dict[str, float]
_PATH = "train.classWeight"


def parse_class_weight(value: Any) -> ClassWeight | None:
    """`balanced`, or class → weight with the class as a text. Raises SpecInvalid."""
    if value is None or value == "balanced":
        return value  # type: ignore[no-any-return]
    if not isinstance(value, Mapping):
        raise SpecInvalid(_PATH, "must be `balanced`, or an object: class → weight")
    for label, weight in value.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise SpecInvalid(f"{_PATH}.{label}", "must be a number of at least 0")
    return {str(label): float(weight) for label, weight in value.items()}


def check_class_weight(weight: ClassWeight | None, task: Task, true: Array | None) -> None:
    """Raises StepFailure where the weight does not fit the task or names a class that is not there."""
    if weight is None:
        return
    if task not in ("classification", "multilabel"):
        raise SpecInvalid(_PATH, f"is for classes; the task is {task}")
    if isinstance(weight, str):
        return
    if task == "multilabel":
        raise SpecInvalid(_PATH, "names classes; with several labels it can only be `balanced`")
    known = {str(plain(label)) for label in np.unique(given(true))}
    if unknown := sorted(set(weight) - known):
        raise SpecInvalid(
            f"{_PATH}.{unknown[0]}", f"is no class of the target; the classes are: {', '.join(sorted(known))}"
        )


def row_weights(rows: Rows, class_weight: ClassWeight | None) -> Array | None:
    """One weight per row, or None where all count the same. A class that `class_weight` does not name counts 1."""
    if class_weight is None:
        return rows.weights
    if isinstance(class_weight, str):
        by_class = np.asarray(compute_sample_weight(class_weight, rows.known))
    else:
        by_class = np.array([class_weight.get(str(plain(label)), 1.0) for label in rows.known])
    return by_class if rows.weights is None else by_class * rows.weights


def last_part(estimator: Estimator) -> tuple[str, Estimator]:
    """The part of a pipeline that predicts, and the prefix of its parameters; the estimator itself and "" where it is none."""
    prefix = ""
    while hasattr(estimator, "steps"):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return prefix, estimator


def weight_argument(estimator: Estimator, weights: Array | None) -> dict[str, Array]:
    """What `fit` gets for the weights. Raises StepFailure where the estimator cannot weigh rows."""
    if weights is None:
        return {}
    prefix, part = last_part(estimator)
    try:
        can_weigh = has_fit_parameter(part, "sample_weight")
    except (TypeError, ValueError) as error:
        raise StepFailure("EstimatorInvalid", f"train.estimator: {first_line(error)}") from error
    if not can_weigh:
        raise StepFailure(
            "EstimatorInvalid",
            f"train.estimator: {type(part).__name__} cannot weigh rows, so neither `sampleWeight` nor `classWeight` can be had with it",
        )
    return {f"{prefix}sample_weight": weights}

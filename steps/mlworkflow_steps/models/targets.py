"""What a training step predicts: the task that follows from the estimator and the target, and the target as an estimator takes it.

the estimator …           and the target is …                     the task
tells classes apart       one column                              classification
                          several columns of 0 and 1              multilabel: one label per column
                          a column of lists                       multilabel: one label per value that occurs
predicts a quantity       one column                              regression
                          several columns of numbers              multioutput: one quantity per column
finds groups              nothing; a column that is there anyway  clustering: the groups are compared with it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_clusterer, is_regressor
from sklearn.utils import get_tags

from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import Table, Task
from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.models.columns import quantities_of, target_of, values_of
from mlworkflow_steps.models.estimator import Estimator, describe_estimator
from mlworkflow_steps.models.scores import Array

_PATH = "train.target"


@dataclass(frozen=True, slots=True)
class Target:
    """`columns` of the table that are the target. `classes` are what can be predicted, as JSON has it: classes, labels, nothing for a quantity."""

    task: Task
    columns: tuple[str, ...]
    classes: tuple[Any, ...] = ()

    def true_of(self, frame: pd.DataFrame) -> Array | None:
        """The target of these rows as in `Rows`. A label that is not among `classes` counts as none."""
        if not self.columns:
            return None
        if self.task not in ("multilabel", "multioutput"):
            return values_of(frame[self.columns[0]])
        if self.task == "multioutput":
            return quantities_of(frame, self.columns, _PATH)
        if len(self.columns) > 1:
            return _indicators(frame, self.columns)
        sets = [{plain(label) for label in value} for value in frame[self.columns[0]]]
        return np.array([[label in has for label in self.classes] for has in sets], dtype=np.int64)


def find_target(estimator: Estimator, table: Table, named: Sequence[str]) -> Target:
    """`named`: the columns that the spec names, none for the table's own. Raises StepFailure where the estimator predicts
    nothing, or the target is not there or does not fit it."""
    task = _task(estimator)
    if task == "clustering":
        if len(named) > 1:
            raise SpecInvalid(_PATH, "clusters are compared with one column")
        return Target(task, (target_of(table, named[0] if named else None, _PATH),) if named or table.target else ())
    columns = tuple(target_of(table, name, _PATH) for name in named) or (target_of(table, None, _PATH),)
    column = table.frame[columns[0]]
    lists = len(columns) == 1 and _holds_lists(column)
    if len(columns) == 1 and not lists:
        classes = [plain(label) for label in np.unique(values_of(column))] if task == "classification" else ()
        return Target(task, columns, tuple(classes))
    if task == "regression":
        if lists:
            raise StepFailure(
                "TargetInvalid",
                f"{_PATH}: column '{columns[0]}' holds lists, which are labels, and {describe_estimator(estimator)} predicts quantities: give each a column of its own and name them all",
            )
        return Target("multioutput", columns)
    if not lists:
        return Target("multilabel", columns, columns)
    labels = sorted({plain(label) for value in column for label in value}, key=lambda label: (str(type(label)), label))
    if not labels:
        raise StepFailure("TargetInvalid", f"{_PATH}: no row of column '{columns[0]}' has a label")
    return Target("multilabel", columns, tuple(labels))


def _task(estimator: Estimator) -> Task:
    if is_classifier(estimator):
        return "classification"
    if is_regressor(estimator):
        return "regression"
    if is_clusterer(estimator) or get_tags(estimator).estimator_type == "density_estimator":
        if hasattr(estimator, "predict"):
            return "clustering"
        raise StepFailure(
            "EstimatorInvalid",
            f"train.estimator: {describe_estimator(estimator)} says nothing about rows that it has not seen, and so makes no model; among those that do are KMeans, "
            "MiniBatchKMeans, BisectingKMeans, Birch, MeanShift and sklearn.mixture.GaussianMixture. Or let a `python` step add what its `fit_predict` says as a column, "
            "and train a classifier on that",
        )
    raise StepFailure(
        "EstimatorInvalid",
        f"train.estimator: {describe_estimator(estimator)} predicts neither classes nor a quantity, and finds no clusters",
    )


def _holds_lists(column: pd.Series) -> bool:
    return column.dtype == object and all(isinstance(value, list | tuple | np.ndarray) for value in column)


def _indicators(frame: pd.DataFrame, columns: tuple[str, ...]) -> Array:
    for column in columns:
        if not frame[column].isin([0, 1]).all():
            raise StepFailure(
                "TargetInvalid",
                f"{_PATH}: column '{column}' is one of several labels and holds something else than 0 and 1",
            )
    return frame[list(columns)].astype("int64").to_numpy()

"""The model that is evaluated, on the columns that it needs, and what it says about other values in them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline

from mlworkflow_steps.data.sparse import matrix_of, sparse_names, take
from mlworkflow_steps.data.table import Task
from mlworkflow_steps.models.scores import Array, Outcome, outcome_of, probabilities_of, spreads_of

MOST_CLUSTERED = 2_000


@dataclass(frozen=True, slots=True)
class Subject:
    """`features` are the columns that the model takes, of every row of the table; `true` as in `Outcome`; `labels` name the columns of several labels or quantities.

    `matrix` are features all of which are sparse, once more: to make one of a frame takes as long for each of its thousands of columns as to predict all rows.
    """

    model: Any
    task: Task
    features: pd.DataFrame
    true: Array
    labels: Array | None = None
    matrix: Any = None

    @classmethod
    def of(cls, model: Any, features: pd.DataFrame, true: Array, labels: Array | None = None) -> Subject:
        """With the matrix, where there is one."""
        is_sparse = features.shape[1] > 0 and len(sparse_names(features)) == features.shape[1]
        return cls(model, model.task, features, true, labels, matrix_of(features) if is_sparse else None)

    def outcome(self) -> Outcome:
        """What the model says about the table's rows."""
        if self.matrix is None or self.labels is not None or not hasattr(self.model, "predict_proba"):
            return self.said(self.features, self.true)
        predicted = np.asarray(self.model.predict(self.features))
        asked, rows = self.model, self.features
        if (said := self.said_of(self.matrix)) is not None and np.array_equal(said, predicted):
            asked, rows = self.model.estimator, self.matrix
        with without_names():
            return Outcome(self.true, predicted, probabilities_of(asked, rows), getattr(self.model, "classes_", None))

    def said_of(self, matrix: Any) -> Array | None:
        """What the estimator says of a matrix in the place of a frame; None where it takes none."""
        try:
            with without_names():
                return np.asarray(self.model.estimator.predict(matrix.tocsr()))
        except (AttributeError, ValueError, TypeError):
            return None

    def said(self, features: pd.DataFrame, true: Array, *, only_labels: bool = False) -> Outcome:
        """What it says about other rows; `only_labels` leaves probabilities out, which take as long again."""
        if only_labels:
            return Outcome(true, np.asarray(self.model.predict(features)), classes=self.labels)
        said = outcome_of(self.model, features, true)
        if self.labels is not None:
            return Outcome(said.true, said.predicted, said.probabilities, self.labels)
        return said

    def clusters(self, seed: int) -> Outcome:
        """The clusters of at most 2,000 rows drawn by the seed, with what they were formed by: how far apart they are is measured between all pairs."""
        chosen = np.sort(np.random.RandomState(seed).permutation(len(self.features))[:MOST_CLUSTERED])
        rows = take(self.features, chosen, self.matrix)
        true = self.true[chosen] if len(self.true) else self.true
        return Outcome(true, np.asarray(self.model.predict(rows)), features=self._space(rows))

    def _space(self, rows: pd.DataFrame) -> Array:
        """Where the rows are for the last part of a pipeline, else their numbers."""
        estimator, features = self.model.estimator, self.model.features(rows)
        if isinstance(estimator, Pipeline) and len(estimator) > 1:
            placed = estimator[:-1].transform(features)
            dense: Array = placed.toarray() if issparse(placed) else np.asarray(placed, dtype=float)
            return dense
        numbers: Array = features.select_dtypes(["number", "bool"]).to_numpy(dtype=float)
        return numbers

    def response(self, features: pd.DataFrame) -> tuple[list[Any], Array]:
        """What a curve of the model shows of other rows: as `response_of`."""
        return self.response_of(self.said(features, self.true[:0]))

    def response_of(self, said: Outcome) -> tuple[list[Any], Array]:
        """By name, rows × names: the quantity, or the probability of each class; of two classes the second's. Several quantities
        are in their own standard deviations from their means, so that they can stand beside each other.

        Classes without probabilities are shares: 1 where the class is predicted.
        """
        if self.task == "regression":
            return ["prediction"], np.asarray(said.predicted, dtype=float)[:, None]
        if self.task == "multioutput":
            assert self.labels is not None
            return list(self.labels), (said.predicted - self.true.mean(axis=0)) / spreads_of(self.true)
        if said.probabilities is not None and said.classes is not None:
            names, values = list(said.classes), said.probabilities
        elif said.classes is not None and said.predicted.ndim == 2:
            names, values = list(said.classes), said.predicted.astype(float)
        else:
            names = list(np.unique(self.true))
            values = np.column_stack([said.predicted == name for name in names]).astype(float)
        if self.task == "classification" and len(names) == 2:
            return names[1:], values[:, 1:]
        return names, values


@contextlib.contextmanager
def without_names() -> Iterator[None]:
    """While it lasts, nobody is warned that a matrix has no names of columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

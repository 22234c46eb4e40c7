"""The model that is evaluated, on the columns that it needs, and what it says about other values in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline

from mlworkflow_steps.data.sparse import take
from mlworkflow_steps.data.table import Task
from mlworkflow_steps.models.scores import Array, Outcome, outcome_of

MOST_CLUSTERED = 2_000


@dataclass(frozen=True, slots=True)
class Subject:
    """`features` are the columns that the model takes, of every row of the table; `true` as in `Outcome`; `labels` name the columns of several labels."""

    model: Any
    task: Task
    features: pd.DataFrame
    true: Array
    labels: Array | None = None

    def outcome(self) -> Outcome:
        """What the model says about the table's rows."""
        return self.said(self.features, self.true)

    def said(self, features: pd.DataFrame, true: Array, *, only_labels: bool = False) -> Outcome:
        """What it says about other rows; `only_labels` leaves probabilities out, which take as long again."""
        if only_labels:
            return Outcome(true, np.asarray(self.model.predict(features)), classes=self.labels)
        said = outcome_of(self.model, features, true)
        if self.task == "multilabel":
            return Outcome(said.true, said.predicted, said.probabilities, self.labels)
        return said

    def clusters(self, seed: int) -> Outcome:
        """The clusters of at most 2,000 rows drawn by the seed, with what they were formed by: how far apart they are is measured between all pairs."""
        chosen = np.sort(np.random.RandomState(seed).permutation(len(self.features))[:MOST_CLUSTERED])
        rows = take(self.features, chosen)
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
        """By name, rows × names: the quantity, or the probability of each class; of two classes the second's.

        Classes without probabilities are shares: 1 where the class is predicted.
        """
        if self.task == "regression":
            return ["prediction"], np.asarray(said.predicted, dtype=float)[:, None]
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

"""A training table as an estimator takes it: features, what is to be predicted, and the columns that say something about the rows.

A column with a part of its own (target, weight, group, time, fold, partition) is no feature, and neither is what `prep` has kept beside them. Everything here is one-dimensional per
row and is divided together, so that a fold's weights can never belong to other rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlworkflow_steps.data import sparse
from mlworkflow_steps.data.table import Table
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models.columns import values_of
from mlworkflow_steps.models.scores import Array


@dataclass(frozen=True, slots=True)
class Rows:
    """`true` is None where nothing is predicted, and rows × columns for several labels, of 0 and 1, or quantities. `weights` are None where all rows count the same."""

    features: pd.DataFrame
    true: Array | None = None
    weights: Array | None = None
    groups: Array | None = None
    time: Array | None = None
    folds: Array | None = None
    partition: Array | None = None

    def __len__(self) -> int:
        return len(self.features)

    @property
    def known(self) -> Array:
        """The true values of rows that have some."""
        return given(self.true)

    def take(self, positions: Array) -> Rows:
        """The rows at these positions, in this order."""
        parts = ("true", "weights", "groups", "time", "folds", "partition")
        taken = {name: values[positions] for name in parts if (values := getattr(self, name)) is not None}
        return replace(self, features=sparse.take(self.features, positions), **taken)


def given(values: Array | None) -> Array:
    """Values that the spec has asked for, so that they are there."""
    assert values is not None
    return values


def rows_of(
    table: Table, target: tuple[str, ...], true: Array | None, roles: Mapping[str, tuple[str, str] | None]
) -> Rows:
    """`roles`: field of `Rows` → (column, path in the spec). Raises StepFailure where a column is missing or no feature is left."""
    named = {field: role for field, role in roles.items() if role is not None}
    for field, (column, path) in named.items():
        if column not in table.frame:
            raise StepFailure(
                "ColumnNotFound",
                f"{path}: the table has no column '{column}'; it has: {', '.join(map(str, table.frame.columns))}",
            )
        if field != "partition" and table.frame[column].isna().any():
            missing = int(table.frame[column].isna().sum())
            raise StepFailure("ColumnInvalid", f"{path}: {missing} values of column '{column}' are missing")
    columns = {field: values_of(table.frame[column]) for field, (column, _) in named.items()}
    if "weights" in columns:
        columns["weights"] = _weights(columns["weights"], *named["weights"])
    left_out = {*target, *table.beside, *(column for column, _ in named.values())}
    features = table.frame[[name for name in table.frame if name not in left_out]]
    if features.shape[1] == 0:
        raise StepFailure(
            "ColumnNotFound", f"no feature is left: every column has a part ({', '.join(sorted(left_out))})"
        )
    return Rows(features, true, **columns)


def _weights(values: Array, column: str, path: str) -> Array:
    try:
        weights = values.astype(float)
    except (ValueError, TypeError) as error:
        raise StepFailure("ColumnInvalid", f"{path}: column '{column}' holds no numbers") from error
    if not np.all(np.isfinite(weights)) or np.any(weights < 0) or not np.any(weights > 0):
        raise StepFailure("ColumnInvalid", f"{path}: weights are finite and not below 0, and one at least is above 0")
    return weights

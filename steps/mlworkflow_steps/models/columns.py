"""The column to predict: which one it is, and its values."""

from __future__ import annotations

import pandas as pd

from mlworkflow_steps.data.table import Table
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models.scores import Array


def target_of(table: Table, named: str | None, path: str) -> str:
    """The target column: the one the spec names, else the one the table names. Raises StepFailure."""
    target = named or table.target
    if not target:
        raise StepFailure("SpecInvalid", f"{path}: is missing, and the table does not say which column is the target")
    if target not in table.frame:
        raise StepFailure(
            "ColumnNotFound",
            f"{path}: the table has no column '{target}'; it has: {', '.join(map(str, table.frame.columns))}",
        )
    return target


def values_of(target: pd.Series) -> Array:
    """The target's values as NumPy has them, whatever pandas keeps them in."""
    return target.astype(object).to_numpy() if isinstance(target.dtype, pd.CategoricalDtype) else target.to_numpy()

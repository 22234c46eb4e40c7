"""The columns to predict: which they are, and their values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
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


def quantities_of(frame: pd.DataFrame, columns: Sequence[str], path: str) -> Array:
    """Several quantities of each row: rows × columns. Raises StepFailure (TargetInvalid) where one is no number."""
    for column in columns:
        if not pd.api.types.is_numeric_dtype(frame[column]) or not np.isfinite(frame[column].to_numpy(float)).all():
            raise StepFailure(
                "TargetInvalid",
                f"{path}: column '{column}' is one of several quantities, and not all of it are numbers",
            )
    return frame[list(columns)].to_numpy(dtype=float)

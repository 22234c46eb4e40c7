"""The first rows that a model was trained on, with what it said of them then: whoever loads the model can find out whether it still says the same.

The file is a Parquet table: the rows as they were, features marked as such, and the predictions in columns of names that no table has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.data.table import FEATURES, Table, read_table, write_table
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models.scores import Array

FILE = "golden.parquet"
ROWS = 20
_PREFIX = "mlworkflow."
_SHOWN = 3


def write(path: Path, model: Any, rows: pd.DataFrame) -> None:
    """Leaves the file at `path`: `rows` and what `model` predicts for them."""
    write_table(Table(_with(rows, _predictions(model, rows))), path)


def differences(path: Path, model: Any, *, tolerance: float = 0.0) -> list[str]:
    """What `model` says otherwise than the file, a few in words; none where it says the same. `tolerance` is relative, for numbers that are no labels: other processors add up
    in another order. Raises StepFailure (ModelInvalid) where there is no such file, and what predicting raises.
    """
    table = read_table(path)
    ours = [name for name in map(str, table.frame) if name.startswith(_PREFIX)]
    if not ours:
        raise StepFailure("ModelInvalid", f"'{path.name}' holds no predictions")
    rows, expected = table.frame.drop(columns=ours), table.frame[ours]
    found = _predictions(model, rows)
    if (names := list(map(str, found))) != ours:
        return [f"it now leaves {', '.join(names)} instead of {', '.join(ours)}"]
    return [text for name in ours for text in _different(name, expected[name], found[name], tolerance)]


def _predictions(model: Any, rows: pd.DataFrame) -> pd.DataFrame:
    columns = _columns("prediction", model.predict(rows))
    if hasattr(model, "predict_proba"):
        columns |= _columns("probability", model.predict_proba(rows))
    return pd.DataFrame(columns)


def _columns(name: str, values: Any) -> dict[str, Array]:
    """One column a dimension. Of several targets the probabilities are a list of tables."""
    if isinstance(values, list):
        return {key: column for index, each in enumerate(values) for key, column in _columns(f"{name}.{index}", each).items()}  # fmt: skip
    values = np.asarray(values)
    if values.ndim == 1:
        return {f"{_PREFIX}{name}": values}
    return {f"{_PREFIX}{name}.{index}": values[:, index] for index in range(values.shape[1])}


def _with(rows: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    joined = pd.concat([rows.reset_index(drop=True), predictions], axis="columns")
    joined.attrs = {FEATURES: rows.attrs[FEATURES]} if FEATURES in rows.attrs else {}
    return joined


def _different(name: str, expected: pd.Series, found: pd.Series, tolerance: float) -> list[str]:
    if pd.api.types.is_float_dtype(expected) and pd.api.types.is_float_dtype(found):
        same = np.isclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    else:
        same = expected.astype(object).to_numpy() == found.astype(object).to_numpy()
    rows = np.flatnonzero(~same)
    what = name.removeprefix(_PREFIX)
    return [f"{what} of row {row}: {found.iloc[row]} instead of {expected.iloc[row]}" for row in rows[:_SHOWN]]

"""What the columns of a table are like, one by one, in few values: enough to tell later whether another table is like it, and nothing of which values were in one row.

A column is a thousand of its present values, evenly chosen from all of them in their order (all, where there are no more); of a text it is the number of words. So the result is a table itself,
and is compared as one. Called by whoever writes a model, and by `predict`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.data.kinds import kind_of, texts

VALUES = 1000
COLUMNS = 300


def marginals(frame: pd.DataFrame) -> pd.DataFrame:
    """Each column by itself, gaps last. Times are left out, for they always move on, and so are columns beyond the first 300."""
    kinds = {str(name): kind_of(frame[name]) for name in frame.columns[:COLUMNS]}
    counted = with_words(frame, [name for name, kind in kinds.items() if kind == "text"])
    chosen = {name: _even(counted[name]) for name, kind in kinds.items() if kind not in ("time", "empty")}
    return pd.DataFrame({name: pd.Series(values) for name, values in chosen.items()})


def with_words(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The same table with the words of these columns counted."""
    return frame.assign(**{name: texts(frame[name]).str.split().map(len).reindex(frame.index) for name in names})


def _even(values: pd.Series) -> np.ndarray[Any, np.dtype[Any]]:
    present = values.dropna()
    present = texts(present) if present.dtype == object or isinstance(present.dtype, pd.CategoricalDtype) else present
    places = np.unique(np.linspace(0, len(present) - 1, min(len(present), VALUES)).round().astype(int))
    chosen: np.ndarray[Any, np.dtype[Any]] = present.sort_values().to_numpy()[places]
    return chosen

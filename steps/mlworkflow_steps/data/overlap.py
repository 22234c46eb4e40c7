"""Rows that are in the training and in the test table: a model that has seen them looks better than it is."""

from __future__ import annotations

import pandas as pd

from mlworkflow_steps.data.anomalies import Anomaly

TOLERATED = 0.01
"""The share of the test rows up to which an overlap is minor, as one row is: a table of few distinct values has twins by chance."""
_SHOWN = 5


def overlap(train: pd.DataFrame, test: pd.DataFrame) -> list[Anomaly]:
    """The test rows that are exact copies of training rows in all columns that both have. Rows count from 0."""
    shared = [name for name in train if name in test]
    if not shared or train.empty or test.empty:
        return []
    seen = set(_hashes(train[shared]))
    rows = [place for place, value in enumerate(_hashes(test[shared])) if value in seen]
    if not rows:
        return []
    share = len(rows) / len(test)
    shown = ", ".join(map(str, rows[:_SHOWN])) + (" …" if len(rows) > _SHOWN else "")
    words = f"{len(rows):,} of {len(test):,} test rows ({share:.1%}) are in the training table too: rows {shown}"
    return [
        Anomaly(
            "SplitOverlap",
            "test",
            (),
            words,
            len(rows),
            tuple(rows[:_SHOWN]),
            minor=len(rows) == 1 or share <= TOLERATED,
        )
    ]


def _hashes(frame: pd.DataFrame) -> list[int]:
    """A number per row. Numbers are compared as floats: a gap turns a column of whole numbers into them."""
    numeric = {str(name): frame[name].astype(float) for name in frame if pd.api.types.is_numeric_dtype(frame[name])}
    other = {str(name): frame[name].astype(object).map(str) for name in frame if str(name) not in numeric}
    comparable = frame.assign(**numeric, **other)
    return [int(value) for value in pd.util.hash_pandas_object(comparable, index=False)]

"""Dividing a table's rows into a training and a test part. Pure: positions in, positions out; same seed, same rows.

The legacy `RandomState` is used because NumPy promises that its streams never change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.spec import Fields

Positions = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True, slots=True)
class Split:
    """`time`: false for a split at random, true for the order of the rows, or the column that orders them."""

    test: float
    stratify: bool
    seed: int
    time: bool | str
    path: str

    @classmethod
    def parse(cls, fields: Fields) -> Split:
        test = fields.number("test")
        time = fields.get("time", False)
        if not isinstance(time, bool | str):
            raise SpecInvalid(fields.where("time"), "must be true, false or the name of a column")
        split = cls(
            test=0.25 if test is None else float(test),
            stratify=fields.boolean("stratify", default=False),
            seed=fields.integer("seed", 0, at_least=0, at_most=2**32 - 1),
            time=time,
            path=fields.path,
        )
        fields.done()
        if not 0 < split.test < 1:
            raise SpecInvalid(fields.where("test"), f"is a share above 0 and below 1, not {split.test}")
        if split.time and split.stratify:
            raise SpecInvalid(
                fields.where("stratify"), "does not go with `time`: a split by time takes the rows as they come"
            )
        return split


def divide(frame: pd.DataFrame, target: str, split: Split) -> tuple[Positions, Positions]:
    """The positions of the training rows and of the test rows, both in the order in which they are to be stored."""
    rows = len(frame)
    size = math.ceil(round(rows * split.test, 6))
    if size in (0, rows):
        raise StepFailure("SplitInvalid", f"{split.path}.test: {split.test} of {rows} rows leaves one part empty")
    if split.time:
        order = _time_order(frame, split)
        return order[: rows - size], order[rows - size :]
    random = np.random.RandomState(split.seed)
    shuffled = random.permutation(rows)
    if not split.stratify:
        return shuffled[size:], shuffled[:size]
    is_test = _stratified(frame[target].iloc[shuffled], size, split)
    return shuffled[~is_test], shuffled[is_test]


def _time_order(frame: pd.DataFrame, split: Split) -> Positions:
    if split.time is True:
        return np.arange(len(frame), dtype=np.intp)
    column = str(split.time)
    if column not in frame:
        raise StepFailure(
            "ColumnNotFound",
            f"{split.path}.time: the table has no column '{column}'; it has: {', '.join(map(str, frame.columns))}",
        )
    if frame[column].isna().any():
        raise StepFailure(
            "SplitInvalid",
            f"{split.path}.time: column '{column}' has {int(frame[column].isna().sum())} missing values, so it gives no order",
        )
    return np.asarray(frame[column].argsort(kind="stable"), dtype=np.intp)


def _stratified(target: pd.Series, size: int, split: Split) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of the shuffled rows are test rows: the classes' shares, rounded so that they add up to `size`."""
    codes, classes = pd.factorize(target, sort=True)
    counts = np.bincount(codes, minlength=len(classes))
    if counts.min() < 2:
        rare = classes[int(counts.argmin())]
        raise StepFailure(
            "SplitInvalid",
            f"{split.path}.stratify: class '{rare}' has a single row; every class needs one for each part",
        )
    if size < len(classes) or len(target) - size < len(classes):
        raise StepFailure(
            "SplitInvalid",
            f"{split.path}.stratify: {len(classes)} classes do not fit into both parts of {len(target)} rows",
        )
    shares = counts * size / len(target)
    quota = np.clip(np.floor(shares).astype(int), 1, counts - 1)
    for code in np.argsort(-(shares - quota), kind="stable"):
        if quota.sum() < size and quota[code] < counts[code] - 1:
            quota[code] += 1
    is_test = np.zeros(len(target), dtype=bool)
    for code in range(len(classes)):
        is_test[np.flatnonzero(codes == code)[: quota[code]]] = True
    return is_test

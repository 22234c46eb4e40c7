"""Dividing a table's rows into a training and a test part, and the training part into folds. Pure: positions in, positions out; same seed, same rows.

The legacy `RandomState` is used because NumPy promises that its streams never change.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.spec import Fields

Positions = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True, slots=True)
class Split:
    """`time`: false for a split at random, true for the order of the rows, or the column that orders them. `group`: the column whose values stay together."""

    test: float
    stratify: bool
    seed: int
    time: bool | str
    path: str
    group: str | None = None
    folds: int | None = None

    @property
    def columns(self) -> dict[str, str]:
        """The columns that the division goes by: field → name."""
        named = {"time": self.time if isinstance(self.time, str) else None, "group": self.group}
        return {field: name for field, name in named.items() if name}

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
            group=fields.text("group"),
            folds=fields.integer("folds", 0, at_least=2) or None,
        )
        fields.done()
        if not 0 < split.test < 1:
            raise SpecInvalid(fields.where("test"), f"is a share above 0 and below 1, not {split.test}")
        if split.time and split.stratify:
            raise SpecInvalid(
                fields.where("stratify"), "does not go with `time`: a split by time takes the rows as they come"
            )
        if split.group and (split.time or split.stratify):
            raise SpecInvalid(
                fields.where("group"), f"does not go with `{'time' if split.time else 'stratify'}`: name one of them"
            )
        if split.folds and split.time:
            raise SpecInvalid(
                fields.where("folds"), "does not go with `time`: `cv.time` of `train` makes folds in order"
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
    if split.group:
        is_test = _grouped(_groups(frame, split), size, random)
        shuffled = random.permutation(rows)
        return shuffled[~is_test[shuffled]], shuffled[is_test[shuffled]]
    shuffled = random.permutation(rows)
    if not split.stratify:
        return shuffled[size:], shuffled[:size]
    is_test = _stratified(frame[target].iloc[shuffled], size, split)
    return shuffled[~is_test], shuffled[is_test]


def folds_of(train: pd.DataFrame, target: str, split: Split) -> Positions:
    """The fold of each row of the training part, from 0, in scikit-learn's division. Raises StepFailure where there are too few rows for it."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

    assert split.folds is not None
    groups = _groups(train, split) if split.group else None
    kinds: Any = GroupKFold if split.group else StratifiedKFold if split.stratify else KFold
    known = train[target].astype(str) if split.stratify else None
    folds = np.empty(len(train), dtype=np.intp)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # that a class has fewer rows than there are folds
            divided = kinds(split.folds, shuffle=True, random_state=split.seed).split(train, known, groups)
            for number, (_, rows) in enumerate(divided):
                folds[rows] = number
    except (ValueError, UserWarning) as error:
        raise StepFailure("SplitInvalid", f"{split.path}.folds: {first_line(error)}") from error
    return folds


def _time_order(frame: pd.DataFrame, split: Split) -> Positions:
    if split.time is True:
        return np.arange(len(frame), dtype=np.intp)
    times = _complete(frame, str(split.time), f"{split.path}.time", "it gives no order")
    if not (pd.api.types.is_numeric_dtype(times) or pd.api.types.is_datetime64_any_dtype(times)):
        try:
            times = pd.to_datetime(times.astype(object), format="ISO8601", utc=True)
        except (ValueError, TypeError) as error:
            raise StepFailure(
                "SplitInvalid",
                f"{split.path}.time: column '{split.time}' has texts that are no moments in ISO 8601, so it gives no order: {first_line(error)}; "
                "give it a type in prep.columns.types",
            ) from error
    return np.asarray(times.argsort(kind="stable"), dtype=np.intp)


def _groups(frame: pd.DataFrame, split: Split) -> Positions:
    """The number of each row's group, in the order of the groups' values."""
    values = _complete(frame, str(split.group), f"{split.path}.group", "what belongs together is not known")
    codes, groups = pd.factorize(values, sort=True)
    if len(groups) < 2:
        raise StepFailure(
            "SplitInvalid", f"{split.path}.group: column '{split.group}' has a single value: all rows belong together"
        )
    return codes


def _grouped(groups: Positions, size: int, random: np.random.RandomState) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows are test rows: whole groups, drawn one after the other, each if it brings the part nearer to `size`. Neither part is empty."""
    counts = np.bincount(groups)
    chosen: list[int] = []
    held = 0
    for group in random.permutation(len(counts)):
        if abs(held + counts[group] - size) < abs(held - size):
            chosen.append(int(group))
            held += counts[group]
    if not chosen:
        chosen = [int(counts.argmin())]
    return np.isin(groups, chosen[:-1] if len(chosen) == len(counts) else chosen)


def _complete(frame: pd.DataFrame, column: str, path: str, words: str) -> pd.Series:
    if column not in frame:
        raise StepFailure(
            "ColumnNotFound",
            f"{path}: the table has no column '{column}'; it has: {', '.join(map(str, frame.columns))}",
        )
    if frame[column].isna().any():
        missing = int(frame[column].isna().sum())
        raise StepFailure("SplitInvalid", f"{path}: column '{column}' has {missing} missing values, so {words}")
    return frame[column]


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

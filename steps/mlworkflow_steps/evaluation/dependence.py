"""Partial dependence: what the model says on average when one column, or two, have a given value in every row.

On at most 200 rows drawn by the seed, for the columns that matter most; the report says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.data.kinds import is_quantity, kind_of
from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.evaluation.subject import Subject
from mlworkflow_steps.models.scores import Array

ROWS = 200
MOST_FEATURES = 1_000
_STEPS = 20
_CATEGORIES = 12
_SQUARE = 8
_CURVES = 4


@dataclass(frozen=True, slots=True)
class Dependence:
    """`grid` has the values of `feature`, numbers or texts; each of `curves` the mean response there. `spread` is how far the farthest curve goes."""

    feature: str
    grid: list[Any]
    curves: dict[str, list[float]]

    @property
    def spread(self) -> float:
        return max(max(curve) - min(curve) for curve in self.curves.values())


@dataclass(frozen=True, slots=True)
class Interaction:
    """Mean responses for pairs of values: rows are those of the first feature, columns those of the second."""

    features: tuple[str, str]
    grids: tuple[list[Any], list[Any]]
    response: str
    means: list[list[float]]


def dependences(subject: Subject, features: Sequence[str], seed: int) -> tuple[list[Dependence], int]:
    """Of each feature that has two values at least; and on how many rows. Of wider tables nothing: there a column by itself says little, and copies take long."""
    if subject.features.shape[1] > MOST_FEATURES:
        return [], 0
    rows = _sample(subject, seed)
    found = [_dependence(subject, rows, feature) for feature in features]
    return [each for each in found if each is not None], len(rows)


def interaction(subject: Subject, first: str, second: str, seed: int) -> Interaction | None:
    """Of the two features together, where the model says one thing (a quantity, or one of two classes)."""
    if subject.features.shape[1] > MOST_FEATURES:
        return None
    rows = _sample(subject, seed)
    places = [_grid(rows[name], _SQUARE, _SQUARE) for name in (first, second)]
    if min(len(grid) for grid in places) < 2:
        return None
    pairs = [(one, two) for one in places[0] for two in places[1]]
    names, means = _means(subject, rows, [{first: one, second: two} for one, two in pairs])
    if len(names) != 1:
        return None
    square = means[:, 0].reshape(len(places[0]), len(places[1]))
    grids = [
        [plain(rows[name].iloc[place]) for place in grid] for name, grid in zip((first, second), places, strict=True)
    ]
    return Interaction((first, second), (grids[0], grids[1]), str(plain(names[0])), square.tolist())


def _sample(subject: Subject, seed: int) -> pd.DataFrame:
    total = len(subject.features)
    chosen = np.sort(np.random.RandomState(seed).permutation(total)[:ROWS])
    rows = subject.features.iloc[chosen].reset_index(drop=True)
    rows.attrs = subject.features.attrs
    return rows


def _dependence(subject: Subject, rows: pd.DataFrame, feature: str) -> Dependence | None:
    places = _grid(rows[feature], _STEPS, _CATEGORIES)
    if len(places) < 2:
        return None
    names, means = _means(subject, rows, [{feature: place} for place in places])
    spreads = means.max(axis=0) - means.min(axis=0)
    shown = sorted(np.argsort(-spreads, kind="stable")[:_CURVES])
    curves = {str(plain(names[place])): [float(value) for value in means[:, place]] for place in shown}
    return Dependence(feature, [plain(rows[feature].iloc[place]) for place in places], curves)


def _grid(values: pd.Series, steps: int, categories: int) -> list[int]:
    """Positions, which are the rows' labels too, that have the values to try: of numbers evenly spread ones, without the outermost of many, else the commonest."""
    kind = kind_of(values)
    present = values.dropna()
    if is_quantity(kind) or kind == "time":
        distinct = present.drop_duplicates().sort_values()
        if len(distinct) <= steps:
            return [int(label) for label in distinct.index]
        ordered = present.sort_values(kind="stable")
        low, high = 0.02 * (len(ordered) - 1), 0.98 * (len(ordered) - 1)
        chosen = ordered.iloc[np.unique(np.linspace(low, high, steps).round().astype(int))]
        return [int(label) for label in chosen.drop_duplicates().index]
    texts = present.astype(str)
    counts = texts.value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    common = sorted(counts.index[:categories])
    return [int(np.flatnonzero((values.astype(str) == text).to_numpy())[0]) for text in common]


def _means(subject: Subject, rows: pd.DataFrame, settings: Sequence[dict[str, int]]) -> tuple[list[Any], Array]:
    """The mean response with each setting (column → the row that has its value): settings × names."""
    parts = []
    for setting in settings:
        part = rows.copy(deep=False)
        for name, place in setting.items():
            part[name] = rows[name].take([place] * len(rows)).set_axis(rows.index)
        parts.append(part)
    stacked = pd.concat(parts, ignore_index=True)
    stacked.attrs = rows.attrs
    names, values = subject.response(stacked)
    return names, values.reshape(len(settings), len(rows), len(names)).mean(axis=1)

"""What a model uses: how much worse it gets when the values of one column are shuffled among the rows.

Bounded on any table: at most 1,000 rows, 200 columns and 100,000 predictions, all drawn by the seed; the report says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlworkflow_steps.evaluation.subject import Subject
from mlworkflow_steps.models.scores import Array, Score

MOST_ROWS = 1_000
MOST_FEATURES = 200
_MOST_PREDICTIONS = 100_000
_MOST_REPEATS = 5
_CELLS_AT_ONCE = 2_000_000
_FEWEST_ROWS = 50


@dataclass(frozen=True, slots=True)
class Importance:
    """By how much a score gets worse without a column: the mean over the shuffles, and the largest distance from it."""

    feature: str
    loss: float
    spread: float


@dataclass(frozen=True, slots=True)
class Importances:
    """Columns by falling loss, and how they were found: on how many `rows`, of how many `features`, with how many shuffles each."""

    score: str
    found: list[Importance]
    rows: int
    repeats: int
    features: int


def importances(subject: Subject, score: Score, seed: int) -> Importances | None:
    """None where the score does not fit the sampled rows."""
    random = np.random.RandomState(seed)
    total, width = subject.features.shape
    tried = min(width, MOST_FEATURES)
    size = min(total, MOST_ROWS, max(_FEWEST_ROWS, _MOST_PREDICTIONS // max(tried, 1)))
    chosen = np.sort(random.permutation(total)[:size])
    rows, true = subject.features.iloc[chosen].reset_index(drop=True), subject.true[chosen]
    only_labels = score.needs == "labels"
    whole = subject.said(rows, true, only_labels=only_labels)
    if not width or not score.fits(whole):
        return None
    places = range(width) if tried == width else _likely(subject, rows, tried)
    repeats = max(1, min(_MOST_REPEATS, _MOST_PREDICTIONS // (size * tried)))
    value = score.compute(whole)
    at_once = max(1, _CELLS_AT_ONCE // (size * width))
    jobs = [(place, random.permutation(size)) for place in places for _ in range(repeats)]
    losses: dict[int, list[float]] = {place: [] for place in places}
    for start in range(0, len(jobs), at_once):
        batch = jobs[start : start + at_once]
        said = subject.said(_stacked(rows, batch), np.concatenate([true] * len(batch)), only_labels=only_labels)
        for index, (place, _) in enumerate(batch):
            part = said.at(np.arange(index * size, (index + 1) * size))
            losses[place].append(score.better_by(value, score.compute(part)) if score.fits(part) else 0.0)
    found = [_importance(str(rows.columns[place]), values) for place, values in losses.items()]
    return Importances(score.name, sorted(found, key=lambda each: -each.loss), size, repeats, tried)


def _importance(feature: str, losses: list[float]) -> Importance:
    mean = float(np.mean(losses))
    return Importance(feature, mean, float(max(abs(loss - mean) for loss in losses)))


def _stacked(rows: pd.DataFrame, batch: list[tuple[int, Array]]) -> pd.DataFrame:
    """The rows once for each shuffle, so that the model is asked once for all."""
    parts = []
    for place, order in batch:
        part = rows.copy(deep=False)
        part.isetitem(place, rows.iloc[:, place].take(order).array)
        parts.append(part)
    stacked = pd.concat(parts, ignore_index=True)
    stacked.attrs = rows.attrs
    return stacked


def _likely(subject: Subject, rows: pd.DataFrame, count: int) -> list[int]:
    """The columns that go most with what the model says, texts first: of thousands the rest would change nothing."""
    _, response = subject.response(rows)
    response = response - response.mean(axis=0)
    strengths = np.full(rows.shape[1], np.inf)
    for place, (_, column) in enumerate(rows.items()):
        if pd.api.types.is_numeric_dtype(column):
            values = np.nan_to_num(column.to_numpy(dtype=float))
            values = values - values.mean()
            lengths = np.sqrt((values**2).sum() * (response**2).sum(axis=0))
            products = np.abs(values @ response)
            strengths[place] = float(
                np.max(np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0))
            )
    return sorted(int(place) for place in np.argsort(-strengths, kind="stable")[:count])

"""What a model uses: how much worse it gets when the values of one column are shuffled among the rows.

Bounded on any table: at most 1,000 rows, 200 columns, 100,000 predictions and 50 million values, all drawn by the seed; the report says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from mlworkflow_steps.evaluation.subject import Subject
from mlworkflow_steps.models.scores import Array, Outcome, Score

MOST_ROWS = 1_000
MOST_FEATURES = 200
_MOST_PREDICTIONS = 100_000
_MOST_VALUES = 50_000_000
_MOST_REPEATS = 5
_VALUES_AT_ONCE = 2_000_000
_FEWEST_ROWS = 50

Shuffle: TypeAlias = tuple[int, Array]
"""A column by its place, and the order that its values get."""
Ask: TypeAlias = Callable[[Sequence[Shuffle]], list[Outcome]]
"""What the model says after each shuffle by itself."""


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


def importances(subject: Subject, outcome: Outcome, score: Score, seed: int) -> Importances | None:
    """`outcome` is what the model says of all rows. None where the score does not fit the drawn ones, or where a model of sparse features takes no matrix."""
    random = np.random.RandomState(seed)
    total, width = subject.features.shape
    tried = min(width, MOST_FEATURES)
    if not width:
        return None
    most = _MOST_PREDICTIONS if subject.matrix is not None else min(_MOST_PREDICTIONS, _MOST_VALUES // width)
    size = min(total, MOST_ROWS, max(_FEWEST_ROWS, most // tried))
    chosen = np.sort(random.permutation(total)[:size])
    whole = outcome.at(chosen)
    if not score.fits(whole):
        return None
    if subject.matrix is not None:
        matrix = subject.matrix[chosen].tocsc()
        ask, strengths = _by_matrix(subject, matrix, whole), _strengths_of_matrix(matrix, subject.response_of(whole)[1])
    else:
        rows = subject.features.iloc[chosen]
        ask = _by_frames(subject, rows, whole.true, only_labels=score.needs == "labels")
        strengths = _strengths(rows, subject.response_of(whole)[1])
    if ask is None:
        return None
    places = sorted(int(place) for place in np.argsort(-strengths, kind="stable")[:tried])
    repeats = max(1, min(_MOST_REPEATS, _MOST_PREDICTIONS // (size * tried)))
    value = score.compute(whole)
    shuffles = [(place, random.permutation(size)) for place in places for _ in range(repeats)]
    at_once = max(1, _VALUES_AT_ONCE // (size * width))
    losses: dict[int, list[float]] = {place: [] for place in places}
    for start in range(0, len(shuffles), at_once):
        batch = shuffles[start : start + at_once]
        for (place, _), said in zip(batch, ask(batch), strict=True):
            losses[place].append(score.better_by(value, score.compute(said)) if score.fits(said) else 0.0)
    found = [_importance(str(subject.features.columns[place]), values) for place, values in losses.items()]
    return Importances(score.name, sorted(found, key=lambda each: -each.loss), size, repeats, tried)


def _importance(feature: str, losses: list[float]) -> Importance:
    mean = float(np.mean(losses))
    return Importance(feature, mean, float(max(abs(loss - mean) for loss in losses)))


def _by_frames(subject: Subject, rows: pd.DataFrame, true: Array, only_labels: bool) -> Ask:
    """The rows once for each shuffle, in one frame, so that the model is asked once for all."""

    def ask(batch: Sequence[Shuffle]) -> list[Outcome]:
        parts = []
        for place, order in batch:
            part = rows.copy(deep=False)
            part.isetitem(place, rows.iloc[:, place].take(order).array)
            parts.append(part)
        stacked = pd.concat(parts, ignore_index=True)
        stacked.attrs = rows.attrs
        said = subject.said(stacked, np.concatenate([true] * len(batch)), only_labels=only_labels)
        return [said.at(np.arange(len(rows)) + index * len(rows)) for index in range(len(batch))]

    return ask


def _by_matrix(subject: Subject, matrix: Any, whole: Outcome) -> Ask | None:
    """Thousands of sparse columns make a slow frame: the estimator is asked with a matrix, if it says the same of that."""
    said = subject.said_of(matrix)
    if said is None or not np.array_equal(said, whole.predicted):
        return None

    def ask(batch: Sequence[Shuffle]) -> list[Outcome]:
        answers = []
        for place, order in batch:
            shuffled, column = matrix.copy(), slice(matrix.indptr[place], matrix.indptr[place + 1])
            shuffled.indices[column] = np.argsort(order)[matrix.indices[column]]
            shuffled.has_sorted_indices = False
            said = subject.said_of(shuffled)
            assert said is not None
            answers.append(Outcome(whole.true, said, classes=whole.classes))
        return answers

    return ask


def _strengths(rows: pd.DataFrame, response: Array) -> Array:
    """How much each column goes with what the model says. Of thousands only the first count; texts are always among them."""
    found = np.full(rows.shape[1], np.inf)
    for place, (_, column) in enumerate(rows.items()):
        if pd.api.types.is_numeric_dtype(column):
            values = np.nan_to_num(column.to_numpy(dtype=float))
            centred = values - values.mean()
            found[place] = _correlations((centred @ response)[None, :], np.array([(centred**2).sum()]), response)[0]
    return found


def _strengths_of_matrix(matrix: Any, response: Array) -> Array:
    centred = response - response.mean(axis=0)
    squares = np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel()
    return _correlations(
        matrix.T @ centred, squares - matrix.shape[0] * np.asarray(matrix.mean(axis=0)).ravel() ** 2, response
    )


def _correlations(products: Array, squares: Array, response: Array) -> Array:
    """The greatest correlation of each column with any part of the response."""
    spread = ((response - response.mean(axis=0)) ** 2).sum(axis=0)
    lengths = np.sqrt(np.clip(squares, 0, None)[:, None] * spread[None, :])
    found: Array = np.divide(np.abs(products), lengths, out=np.zeros_like(products), where=lengths > 0).max(axis=1)
    return found

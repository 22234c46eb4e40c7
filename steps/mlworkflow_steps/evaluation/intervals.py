"""How far a metric could be off by the chance of which rows were drawn: bootstrap intervals, seeded.

A table of many rows is not resampled whole. Of an evenly drawn part of it as many rows are drawn as the table has (the bag of
little bootstraps): the interval is as wide as the whole table's, and is then put around the whole table's value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlworkflow_steps.evaluation.resampling import RESAMPLED, Weights
from mlworkflow_steps.models.scores import SCORES, Array, Outcome

RESAMPLES = 500
MOST_ROWS = 5_000
MOST_ROWS_TIMES_CLASSES = 100_000
FEWEST_ROWS = 2


class Interval(NamedTuple):
    """Between these a metric lies with the given confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Draws rows with replacement. The same seed and number of rows, the same draws, so that two models are compared on the same ones."""

    seed: int
    confidence: float

    def intervals(self, names: Iterable[str], outcome: Outcome, values: dict[str, float]) -> dict[str, Interval]:
        """By metric, around its value."""
        if len(outcome.predicted) < FEWEST_ROWS:
            return {}
        part, weights, is_whole = self._drawn(outcome)
        found: dict[str, Interval] = {}
        for name in names:
            if name in RESAMPLED and name in values:
                drawn = RESAMPLED[name](part, weights)
                shift = 0.0 if is_whole else values[name] - SCORES[name].compute(part)
                found |= self._interval(name, drawn + shift)
        return found

    def advantages(
        self, names: Iterable[str], outcome: Outcome, other: Outcome, advantages: dict[str, float]
    ) -> dict[str, Interval]:
        """By metric, by how much `outcome` is better than `other`, both on the same draws."""
        if len(outcome.predicted) < FEWEST_ROWS:
            return {}
        part, weights, is_whole = self._drawn(outcome)
        against, _, _ = self._drawn(other)
        found: dict[str, Interval] = {}
        for name in names:
            if name in RESAMPLED and name in advantages:
                sign = -1.0 if SCORES[name].lower else 1.0
                drawn = sign * (RESAMPLED[name](part, weights) - RESAMPLED[name](against, weights))
                score = SCORES[name]
                shift = (
                    0.0 if is_whole else advantages[name] - score.better_by(score.compute(part), score.compute(against))
                )
                found |= self._interval(name, drawn + shift)
        return found

    def _interval(self, name: str, drawn: Array) -> dict[str, Interval]:
        known = drawn[np.isfinite(drawn)]
        if len(known) < RESAMPLES / 2:
            return {}
        outside = (1 - self.confidence) / 2
        low, high = np.quantile(known, [outside, 1 - outside])
        return {name: Interval(float(low), float(high))}

    def _drawn(self, outcome: Outcome) -> tuple[Outcome, Weights, bool]:
        """The rows to draw from, how often each is drawn, and whether they are the whole table."""
        rows, random = len(outcome.predicted), np.random.RandomState(self.seed)
        classes = 1 if outcome.classes is None else len(outcome.classes)
        size = min(rows, MOST_ROWS, max(100, MOST_ROWS_TIMES_CLASSES // classes))
        if size == rows:
            draws = random.randint(0, rows, size=(RESAMPLES, rows))
            weights = np.array([np.bincount(draw, minlength=rows) for draw in draws], dtype=float)
            return outcome, weights, True
        chosen = np.sort(random.permutation(rows)[:size])
        return outcome.at(chosen), random.poisson(rows / size, size=(RESAMPLES, size)).astype(float), False

"""Metrics of many resamples at once are those of scikit-learn, and intervals hold what they promise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from mlworkflow_steps.evaluation.intervals import MOST_ROWS, Bootstrap
from mlworkflow_steps.evaluation.resampling import RESAMPLED
from mlworkflow_steps.models.scores import SCORES, Outcome, computed, scores_of

_WITHOUT = {"calibration_error", "max_error"}


def _outcomes() -> Iterator[tuple[str, Outcome]]:
    random = np.random.RandomState(0)
    for count in (2, 3, 5):
        classes = np.array(list("abcde"))[:count]
        probabilities = np.round(random.dirichlet(np.ones(count), 60), 2)  # rounded: equal ones are a case of their own
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        true = classes[random.randint(0, count, 60)]
        yield "classification", Outcome(true, classes[probabilities.argmax(axis=1)], probabilities, classes)
    true = random.gamma(2, 10, 51)
    yield "regression", Outcome(true, np.abs(true + random.normal(0, 5, 51)))
    labels = random.randint(0, 2, (50, 4))
    probabilities = np.clip(labels * 0.4 + random.rand(50, 4) * 0.6, 0, 1)
    true = random.gamma(2, 10, (51, 3))
    yield "multioutput", Outcome(true, np.abs(true + random.normal(0, 5, (51, 3))))
    yield "multilabel", Outcome(labels, (probabilities > 0.5).astype(int), probabilities, np.array(list("wxyz")))


@pytest.mark.filterwarnings("ignore")
def test_resampled_metrics_are_those_of_single_resamples() -> None:
    random, seen = np.random.RandomState(1), set()
    for task, outcome in _outcomes():
        rows = len(outcome.true)
        draws = [np.arange(rows), *(random.randint(0, rows, rows) for _ in range(4))]
        weights = np.array([np.bincount(draw, minlength=rows) for draw in draws], dtype=float)
        for score in scores_of(task):  # type: ignore[arg-type]
            if score.name in RESAMPLED and score.fits(outcome):
                expected = [score.compute(outcome.at(draw)) for draw in draws]
                assert RESAMPLED[score.name](outcome, weights) == pytest.approx(expected, abs=1e-9), score.name
                seen.add(score.name)
    assert (
        seen == set(RESAMPLED) == {score.name for score in SCORES.values() if score.tasks != ("clustering",)} - _WITHOUT
    )


def _quantity(rows: int, seed: int) -> Outcome:
    random = np.random.RandomState(seed)
    true = random.normal(0, 10, rows)
    return Outcome(true, true + random.normal(0, 3, rows))


def test_an_interval_has_the_true_value_as_often_as_it_promises() -> None:
    """The mean size of errors of N(0, 3) is 3·√(2/π)."""
    bootstrap, truth, held = Bootstrap(0, 0.9), 3 * np.sqrt(2 / np.pi), 0
    for seed in range(60):
        outcome = _quantity(120, seed)
        interval = bootstrap.intervals(["mae"], outcome, computed([SCORES["mae"]], outcome))["mae"]
        held += interval.low <= truth <= interval.high
    assert 46 <= held <= 60


def test_a_part_of_many_rows_gives_the_interval_of_all() -> None:
    outcome = _quantity(6 * MOST_ROWS, 0)
    values = computed([SCORES["rmse"], SCORES["r2"]], outcome)
    intervals = Bootstrap(0, 0.95).intervals(values, outcome, values)
    width = intervals["rmse"].high - intervals["rmse"].low
    assert width == pytest.approx(2 * 1.96 * 3 / np.sqrt(2 * 6 * MOST_ROWS), rel=0.15)
    assert all(intervals[name].low < values[name] < intervals[name].high for name in values)
    assert intervals == Bootstrap(0, 0.95).intervals(values, outcome, values), "the seed decides"
    assert intervals != Bootstrap(1, 0.95).intervals(values, outcome, values)


def test_two_models_are_compared_on_the_same_draws() -> None:
    """Errors of two alike models go together, so what lies between them is far surer than either."""
    outcome = _quantity(300, 0)
    other = Outcome(outcome.true, outcome.predicted + 0.2 * np.sign(outcome.predicted - outcome.true))
    values, bootstrap = computed([SCORES["mae"]], outcome), Bootstrap(0, 0.95)
    ahead = {"mae": SCORES["mae"].better_by(values["mae"], SCORES["mae"].compute(other))}
    interval = bootstrap.advantages(ahead, outcome, other, ahead)["mae"]
    alone = bootstrap.intervals(["mae"], outcome, values)["mae"]
    assert ahead["mae"] == pytest.approx(0.2)
    assert 0.19 < interval.low <= interval.high < 0.21
    assert alone.high - alone.low > 0.3

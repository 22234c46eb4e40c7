"""What is kept of metrics on the way, to be looked at."""

from __future__ import annotations

from mlworkflow.engine import series
from mlworkflow.engine.series import Series
from mlworkflow.gateway.runs import Batch, Point
from mlworkflow.store.layout import AttemptKey

KEY = AttemptKey("ml", "uid", "train", 0)


def points(first: int, count: int) -> list[Point]:
    return [Point("loss", float(number), number) for number in range(first, first + count)]


def test_each_point_is_kept_once_however_often_it_is_sent() -> None:
    kept = Series()
    assert kept.note(KEY, Batch(points(0, 3), first=0))
    assert kept.note(KEY, Batch(points(1, 4), first=1))
    assert [point.step for point in kept.of(KEY)] == [0, 1, 2, 3, 4]


def test_what_was_sent_to_an_earlier_operator_is_asked_for_again() -> None:
    kept = Series()
    assert not kept.note(KEY, Batch(points(5, 1), first=5))
    assert kept.note(KEY, Batch(points(0, 6), first=0))
    assert len(kept.of(KEY)) == 6


def test_of_very_many_evenly_chosen_ones_are_kept_of_each_metric() -> None:
    kept = Series()
    for first in range(0, 20_000, 1000):
        both = [Point(name, 0.0, number) for number in range(first, first + 1000) for name in ("loss", "accuracy")]
        assert kept.note(KEY, Batch(both, first=2 * first))
    for name in ("loss", "accuracy"):
        steps = [point.step for point in kept.of(KEY) if point.name == name]
        assert len(steps) <= series.MOST + 1
        assert steps == [*range(0, 20_000, 16), 19_999]


def test_a_last_value_alone_is_no_series() -> None:
    kept = Series()
    kept.note(KEY, Batch([Point("accuracy", 0.9), Point("loss", 0.1)], first=0))
    assert kept.end(KEY) == ()
    kept.note(KEY, Batch(points(0, 2), first=0))
    assert len(kept.end(KEY)) == 2
    assert not kept.of(KEY)

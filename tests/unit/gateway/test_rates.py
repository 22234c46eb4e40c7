"""A token bucket for each caller, and no more of them than needed."""

from __future__ import annotations

import pytest
from mlworkflow.gateway._rates import Rates
from mlworkflow.gateway.errors import TooMany


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(rates: Rates, caller: str, tries: int) -> int:
    """How many of so many calls at once are taken."""
    count = 0
    for _ in range(tries):
        try:
            rates.take(caller)
            count += 1
        except TooMany:
            pass
    return count


def test_a_burst_and_then_a_rate() -> None:
    clock = Clock()
    rates = Rates(10, 50, clock=clock)
    assert taken(rates, "a", 80) == 50
    clock.now += 1
    assert taken(rates, "a", 80) == 10
    clock.now += 100
    assert taken(rates, "a", 80) == 50


def test_callers_do_not_share() -> None:
    rates = Rates(1, 5, clock=Clock())
    assert [taken(rates, caller, 9) for caller in "abc"] == [5, 5, 5]


def test_it_says_when_to_come_again_and_once_that_it_refuses() -> None:
    clock = Clock()
    rates = Rates(2, 10, clock=clock)
    taken(rates, "a", 10)
    news = []
    for _ in range(3):
        with pytest.raises(TooMany) as caught:
            rates.take("a")
        news.append(caught.value.is_news)
        assert caught.value.after == 0.5
    assert news == [True, False, False]
    clock.now += 0.5
    rates.take("a")
    clock.now += 60
    assert taken(rates, "a", 10) == 10
    with pytest.raises(TooMany) as caught:
        rates.take("a")
    assert not caught.value.is_news or clock.now > 60


def test_who_has_been_quiet_is_forgotten_and_there_is_a_bound() -> None:
    clock = Clock()
    rates = Rates(10, 100, room=1000, clock=clock)
    for number in range(5000):
        rates.take(f"pod-{number}")
    assert len(rates) == 1000
    clock.now += 11
    for _ in range(600):
        rates.take("one")
        clock.now += 0.1
    assert len(rates) == 1


def test_a_caller_who_goes_on_is_not_forgotten_into_a_new_burst() -> None:
    clock = Clock()
    rates = Rates(10, 100, clock=clock)
    count = 0
    for step in range(1000):
        count += taken(rates, "a", 5)
        taken(rates, f"other-{step}", 1)
        clock.now += 0.1
    assert count <= 100 + 10 * 100

"""What the agent tells of its waits: not the short ones, once a minute at most, the oldest first, and their end."""

from __future__ import annotations

import itertools
from typing import Any

from mlworkflow_steps.agent.patience import Patience
from mlworkflow_steps.agent.waiting import EVERY, FIRST


class Told:
    """A patience whose time passes only when somebody sleeps, and what it tells, with the time."""

    def __init__(self, seconds: float = 6 * 3600.0) -> None:
        self.now = 0.0
        self.told: list[tuple[float, dict[str, Any] | None]] = []
        self.is_away = False
        self.patience = Patience(
            seconds, sleep=self.sleep, clock=lambda: self.now, chance=lambda: 1.0, say=lambda words: None
        )
        self.patience.tell = self.tell

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def tell(self, waiting: dict[str, Any] | None) -> None:
        if self.is_away:
            raise ConnectionRefusedError
        self.told.append((self.now, waiting))


def test_a_wait_of_seconds_is_nobody_s_concern() -> None:
    told = Told()
    tries = told.patience.tries("upload of 'model'")
    while told.now < FIRST - 2:
        tries.again("refused")
    tries.reset()
    assert told.told == []


def test_an_hour_of_waiting_is_told_once_a_minute_and_then_its_end() -> None:
    told = Told()
    tries = told.patience.tries("upload of 'model'")
    while told.now < 3600:
        assert tries.again("refused")
    assert 45 < len(told.told) <= 60
    times = [time for time, _ in told.told]
    assert FIRST <= times[0] < 2 * FIRST
    assert all(after - before >= EVERY for before, after in itertools.pairwise(times))
    time, last = times[-1], told.told[-1][1]
    assert last == {
        "noun": "upload of 'model'",
        "words": "refused",
        "since": round(time, 3),
        "left": round(6 * 3600 - time, 3),
    }
    tries.reset()
    tries.reset()
    assert [waiting for _, waiting in told.told if waiting is None] == [None]


def test_the_oldest_of_several_is_told_and_the_end_of_the_last() -> None:
    told = Told()
    first, second = told.patience.tries("input 'a'"), told.patience.tries("input 'b'")
    while told.now < 200:
        first.again("refused")
        second.again("reset")
    assert {waiting["noun"] for _, waiting in told.told if waiting} == {"input 'a'"}
    first.reset()
    assert None not in [waiting for _, waiting in told.told]
    while told.now < 400:
        second.again("reset")
    assert (told.told[-1][1] or {})["noun"] == "input 'b'"
    second.reset()
    assert told.told[-1][1] is None


def test_nothing_is_told_to_a_gateway_that_is_itself_waited_for() -> None:
    told = Told()
    tries = told.patience.tries("the gateway")
    while told.now < 600:
        tries.again("ConnectionRefusedError", is_told=False)
    tries.reset()
    assert told.told == []


def test_a_gateway_that_is_away_meanwhile_is_told_soon_after() -> None:
    told = Told()
    told.is_away = True
    tries = told.patience.tries("input 'a'")
    while told.now < 100:
        assert tries.again("refused")
    told.is_away = False
    while told.now < 130:
        assert tries.again("refused")
    assert len(told.told) == 1


def test_who_tells_nobody_waits_all_the_same() -> None:
    told = Told(60.0)
    told.patience.tell = None
    tries = told.patience.tries("input 'a'")
    while tries.again("refused"):
        pass
    assert told.now > 40
    assert told.told == []

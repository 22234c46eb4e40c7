"""What attempts wait for, as it is shown: in words that stay the same while the wait does, and once a minute at most."""

from __future__ import annotations

import math

import pytest
from mlworkflow.engine.waits import EVERY, LIVES, Waits
from mlworkflow.gateway.runs import Waiting

NOON = 1764071000.0 // 86400 * 86400 + 12 * 3600
A, B = ("train", 0), ("sweep/3", 1)


def waiting(
    noun: str = "upload of 'model'", words: str = "refused", since: float = 180.0, left: float = 3600.0
) -> Waiting:
    return Waiting(noun=noun, words=words, since=since, left=left)


def test_it_says_what_is_waited_for_why_since_when_and_until_when() -> None:
    waits = Waits()
    assert waits.note(A, waiting(), NOON)
    assert waits.shown(NOON) == {
        A: "waiting for the store: upload of 'model': refused, since 11:57 UTC, tries again until 13:00 UTC"
    }
    assert waits.note(B, waiting("the gateway", "the Pods are not known yet", left=20 * 3600.0), NOON)
    assert waits.shown(NOON + EVERY)[B].startswith(
        "waiting for the gateway: the Pods are not known yet, since 11:57 UTC, "
    )
    assert waits.shown(NOON + EVERY)[B].endswith("tries again until 2025-11-26 08:00 UTC")


def test_the_words_of_a_step_are_one_line() -> None:
    waits = Waits()
    waits.note(A, waiting(words="a\nb\x1b[31m  c\u202e"), NOON)
    assert ": a b [31m c, since" in waits.shown(NOON)[A]


def test_the_same_wait_told_again_changes_nothing() -> None:
    waits = Waits()
    waits.note(A, waiting(since=59.9), NOON + 59.9)
    before = waits.shown(NOON + 60)[A]
    for minute in range(1, 20):  # by a clock that is a little fast, over a line that is sometimes slow
        late = minute % 3
        told = waiting(since=59.9 + 60.01 * minute - late, left=3600.0 - 60.01 * minute + late)
        assert not waits.note(A, told, NOON + 59.9 + 60 * minute)
        assert waits.shown(NOON + 59.9 + 60 * minute) == {A: before}


def test_many_that_speak_all_the_time_change_what_is_shown_once_a_minute() -> None:
    waits, changes, before = Waits(), 0, None
    for second in range(600):
        waits.note((f"sweep/{second}", 0), waiting(words=f"refused {second}"), NOON + second)
        now = waits.shown(NOON + second)
        changes, before = changes + (now != before), now
    assert changes == 10
    assert waits.due() == NOON + 540 + EVERY


def test_what_changes_too_soon_is_shown_when_it_is_due() -> None:
    waits = Waits()
    waits.note(A, waiting(words="refused"), NOON)
    waits.shown(NOON)
    waits.note(A, waiting(words="reset"), NOON + 10)
    assert "refused" in waits.shown(NOON + 10)[A]
    assert waits.due() == NOON + EVERY
    assert "reset" in waits.shown(NOON + EVERY)[A]


def test_that_nobody_waits_any_more_is_shown_at_once() -> None:
    waits = Waits()
    waits.note(A, waiting(), NOON)
    waits.shown(NOON)
    assert waits.note(A, None, NOON + 1)
    assert not waits.note(A, None, NOON + 2)
    assert waits.shown(NOON + 2) == {}
    assert waits.due() == math.inf


def test_a_wait_that_is_not_told_again_is_over() -> None:
    """Its agent could not say that it went on."""
    waits = Waits()
    waits.note(A, waiting(), NOON)
    assert A in waits.shown(NOON + LIVES)
    assert waits.due() == pytest.approx(NOON + LIVES, abs=2)
    assert waits.shown(waits.due()) == {}


def test_an_attempt_that_is_over_waits_no_more() -> None:
    waits = Waits()
    waits.note(A, waiting(), NOON)
    waits.forget(A)
    waits.forget(A)
    assert waits.shown(NOON) == {}

"""Attempts that have ended while their Pods go on, because somebody put a container into them that never ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlworkflow.core.actions import Probe, Stop
from mlworkflow.core.state import Phase

from tests.builders import a_workflow

from .play import Play


def a_play(**fields: Any) -> Play:
    return Play(a_workflow().step("a", **fields).step("b", after=["a"])).turn()


def lingers(play: Play, exit_code: int, **fields: Any) -> Play:
    """The attempt under way ends, its Pod does not."""
    key = ("a", play.task("a").attempt)
    known = play.results.get(key)
    play.ends("a", exit_code)
    play.attempts[key] = replace(play.attempts[key], lingering=True, **fields)
    assert play.results.get(key) is known
    return play


def test_one_that_has_committed_is_stopped_once() -> None:
    play = a_play().runs("a")
    attempt = play.attempts[("a", 0)]
    play.succeeds("a").attempts[("a", 0)] = replace(attempt, lingering=True)
    play = lingers(play, 0).turn()
    assert [stop.handle for stop in play.asked(Stop)] == [attempt.handle]
    assert (play.task("a").phase, play.task("b").phase) == (Phase.SUCCEEDED, Phase.RUNNING)
    play.attempts[("a", 0)] = replace(play.attempts[("a", 0)], leaving=True)
    assert play.turn().stopped == []


def test_one_whose_result_is_not_known_yet_is_looked_into_before_it_is_stopped() -> None:
    play = lingers(a_play().runs("a"), 3, reason="Error").turn()
    assert play.stopped == []
    assert [probe.task for probe in play.asked(Probe)] == ["a"]
    assert play.task("a").phase is Phase.RUNNING
    play.fails("a", attempt=0)
    assert lingers(play, 3).turn().stopped == ["a"]
    assert play.task("a").phase is Phase.FAILED


def test_one_whose_task_has_moved_on_is_stopped() -> None:
    play = lingers(a_play().runs("a"), 0).turn()
    play = play.answers("a", exists=True).turn()
    assert play.task("a").losses == 1, "it ended well and left no result"
    assert ("a", 0) in [(stop.task, stop.attempt) for stop in play.asked(Stop)]


def test_a_finished_workflow_leaves_none_behind() -> None:
    play = Play(a_workflow().step("a")).turn().runs("a")
    attempt = play.attempts[("a", 0)]
    play.succeeds("a").attempts[("a", 0)] = attempt
    assert play.turn().stopped == []
    assert play.run.phase is Phase.SUCCEEDED
    assert lingers(play, 0).turn().stopped == ["a"]

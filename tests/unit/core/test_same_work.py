"""Of those who would do the same work at once, one does it; the others take its result."""

from __future__ import annotations

from mlworkflow.core.observation import Attempt, Result, Room, Seen
from mlworkflow.core.state import Phase

from tests.builders import a_workflow, artifact
from tests.unit.core.play import Play

CACHE = {"enabled": True}


def twins(**fields: object) -> Play:
    return Play(a_workflow().step("a", cache=CACHE, **fields).step("b", cache=CACHE, **fields).step("c")).turn()


def test_one_of_them_runs_and_the_others_say_what_they_wait_for() -> None:
    play = twins()
    assert play.started == ["a", "c"]
    assert play.run.message == "step 'b' waits for the result of a step that does the same work at the moment"


def test_once_it_is_there_nobody_waits() -> None:
    builder = a_workflow().step("s", forEach={"range": 5}, cache=CACHE)
    play = Play(builder).turn()
    assert play.started == ["s/0"]
    assert play.succeeds("s/0").turn().started == ["s/1", "s/2", "s/3", "s/4"]


def test_after_a_failure_the_next_one_tries() -> None:
    assert twins().fails("a").turn().started == ["b"]


def test_other_work_does_not_wait() -> None:
    builder = a_workflow().step("s", forEach={"range": 3}, params={"n": "${{ item }}"}, cache=CACHE)
    assert Play(builder).turn().started == ["s/0", "s/1", "s/2"]


def test_without_the_cache_nobody_waits() -> None:
    assert Play(a_workflow().step("a").step("b")).turn().started == ["a", "b"]


def test_the_work_of_other_workflows_counts() -> None:
    play = Play(a_workflow().step("a", cache=CACHE)).turn()
    (work,) = play.decision.usage.held
    other = Play(a_workflow("other").step("x", cache=CACHE))
    other.room = Room(held={work: 1})
    assert other.turn().started == []
    assert other.decision.usage.waits_for == {work}
    other.room = Room()
    assert other.turn().started == ["x"]


def test_after_a_restart_who_does_the_work_is_read_off_its_pod() -> None:
    play = twins()
    mark = play.task("a").fingerprint
    play.restarts()
    play.room = Room(is_known=False)
    play.attempts = {("a", 0): Attempt("a", 0, "a-pod", Seen.RUNNING, 1000.0, fingerprint=mark)}
    assert play.turn().started == []
    play.room = Room()
    assert play.turn().started == []
    assert play.decision.usage.held == {f"={mark}": 1}


def test_a_cached_result_has_no_pod() -> None:
    play = Play(a_workflow().step("a", cache=CACHE, outputs="o")).turn()
    play.results[("a", 0)] = Result(0, outputs={"o": artifact("o")}, cached_from="uid-0/a/0")
    play.turn()
    task = play.task("a")
    assert (task.phase, task.is_cached, task.handle) == (Phase.SUCCEEDED, True, "")
    play.restarts()
    assert play.task("a").is_cached


def test_who_asks_for_a_step_to_run_again_gets_no_earlier_result() -> None:
    play = Play(a_workflow().step("a", cache=CACHE)).turn()
    assert [order.is_looked_up for order in play.orders] == [True]
    play.succeeds("a").turn()
    assert [order.is_looked_up for order in play.asks_again("a").turn().orders] == [False]

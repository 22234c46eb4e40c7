"""Failure: which are tried again, which are forgiven, and which stop everything."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.observation import Seen
from mlworkflow.core.state import Phase

from tests.builders import a_workflow
from tests.unit.core.play import Play


def failing(on: dict[str, Any] | None = None, **retry: Any) -> Play:
    limits = {"limit": 3, "backoff": "1s", **retry, **({"only": on} if on else {})}
    return Play(a_workflow().param("code", 3).step("s", retry=limits)).turn()


@pytest.mark.parametrize(
    ("on", "code", "reason", "again"),
    [
        (None, 1, "Error", True),
        ({"exitCodes": [3]}, 3, "Error", True),
        ({"exitCodes": [3]}, 1, "Error", False),
        ({"reasons": ["OOMKilled"]}, 137, "OOMKilled", True),
        ({"reasons": ["OOMKilled"]}, 137, "Error", False),
        ({"exitCodes": [3], "reasons": ["OOMKilled"]}, 137, "OOMKilled", True),
        ({"expression": "${{ last.exitCode == params.code }}"}, 3, "Error", True),
        ({"expression": "${{ last.exitCode == params.code }}"}, 4, "Error", False),
        ({"expression": "${{ last.reason.startsWith('OOM') && last.attempt < 2 }}"}, 137, "OOMKilled", True),
        ({"expression": "${{ last.message.contains('disk') }}"}, 1, "Error", False),
    ],
)
def test_which_failures_are_tried_again(on: dict[str, Any] | None, code: int, reason: str, again: bool) -> None:
    play = failing(on).ends("s", code, reason=reason).answers("s", exists=True).turn()
    assert play.task("s").phase is (Phase.PENDING if again else Phase.FAILED)
    assert play.task("s").reason == reason


def test_an_expression_that_fails_is_told_with_the_failure_itself() -> None:
    play = failing({"expression": "${{ last.nothing }}"}).fails("s", "Error", "exit code 1").turn()
    assert play.is_("s", Phase.FAILED, "Error")
    assert "exit code 1" in play.task("s").message
    assert "retry.only.expression" in play.task("s").message


def test_what_the_infrastructure_ends_has_a_budget_of_its_own() -> None:
    play = failing(limit=0, losses=1)
    play.ends("s", None, reason="Evicted", lost=True).answers("s", exists=True).turn()
    assert play.is_("s", Phase.RUNNING) or play.task("s").phase is Phase.PENDING
    play.turn()
    assert play.task("s").attempt == 1
    play.ends("s", None, reason="NodeLost", lost=True).answers("s", exists=True).turn()
    assert play.is_("s", Phase.FAILED, "NodeLost")
    assert play.task("s").message.startswith("lost 2 times to the infrastructure")


def test_no_loss_may_be_allowed_at_all() -> None:
    play = failing(losses=0).ends("s", None, reason="Evicted", lost=True).answers("s", exists=True).turn()
    assert play.is_("s", Phase.FAILED, "Evicted")


def test_an_attempt_that_runs_too_long_has_failed_and_is_tried_again() -> None:
    play = Play(a_workflow().step("s", attemptTimeout="10s", retry={"limit": 1, "backoff": "1s"})).turn()
    play.runs("s")._see("s", None, running_since=play.now + 3)
    assert play.turn(after=3).wake_at == play.now + 10
    play.turn(after=9)
    assert play.stopped == []
    play.turn(after=1)
    assert play.stopped == ["s"]
    assert play.is_("s", Phase.PENDING, "DeadlineExceeded")
    play._see("s", None, leaving=True).turn(after=1)
    assert play.started == []  # the attempt before is on its way out
    play.vanishes("s").turn()
    assert play.started == ["s#1"]
    play.runs("s")._see("s", None, running_since=play.now)
    play.turn(after=10)
    assert play.is_("s", Phase.FAILED, "DeadlineExceeded")
    assert "attempt 1 ran longer than its timeout of 10s" in play.task("s").message


def test_an_attempt_that_never_ends_is_waited_for_no_longer_than_its_grace_and_a_little() -> None:
    fields = {"attemptTimeout": "10s", "terminationGracePeriodSeconds": 20, "retry": {"limit": 1, "backoff": "1s"}}
    play = Play(a_workflow().step("s", **fields)).turn().runs("s")
    play._see("s", None, running_since=play.now).turn(after=10)
    play._see("s", None, leaving=True).turn(after=50)
    assert (play.started, play.wake_at) == ([], play.now + 1)
    assert play.turn(after=1).started == ["s#1"]


def test_an_attempt_that_does_not_run_yet_has_all_its_time() -> None:
    play = Play(a_workflow().step("s", attemptTimeout="10s")).turn().waits("s").turn(after=60)
    assert play.task("s").phase is Phase.RUNNING


def test_a_failure_that_is_allowed_fails_nothing_else() -> None:
    builder = a_workflow().step("s", outputs="o", allowFailure=True).step("after", after=["s"])
    builder = builder.step("needs", inputs="s.o").step("may", inputs={"o": {"from": "s.o", "optional": True}})
    play = Play(builder).turn().fails("s").turn()
    assert play.is_("s", Phase.FAILED, "Error")
    assert play.started == ["after", "may"]
    assert play.is_("needs", Phase.SKIPPED, "DependencyFailed")
    assert play.succeeds("after").succeeds("may").turn().run.phase is Phase.SUCCEEDED


def test_a_failure_in_a_group_may_be_allowed() -> None:
    inner = a_workflow().step("x", allowFailure=True).step("y")
    play = Play(a_workflow().group("g", inner)).turn().fails("g.x").succeeds("g.y").turn().publishes().turn()
    assert play.run.phase is Phase.SUCCEEDED


def test_the_first_failure_stops_everything_where_that_is_asked() -> None:
    builder = a_workflow().having(failFast=True).step("a").step("b").step("c", after=["b"])
    play = Play(builder).turn().fails("a").turn()
    assert play.stopped == ["b"]
    assert play.is_("b", Phase.CANCELLED, "Cancelled")
    assert play.is_("c", Phase.CANCELLED, "Cancelled")
    assert (play.run.phase, play.run.message) == (Phase.FAILED, "step 'a' failed: Error: exit code 1")


def test_the_first_failure_in_a_group_stops_the_group_and_its_retry_counts() -> None:
    inner = a_workflow().step("x").step("y")
    builder = a_workflow().having(failFast=True).group("g", inner, retry={"limit": 1, "backoff": "1s"}).step("other")
    play = Play(builder).turn().fails("g.x").turn()
    assert play.stopped == ["g.y"]
    play.turn(after=1)
    assert play.started == ["g~1.x", "g~1.y"]
    assert play.task("other").phase is Phase.RUNNING


def test_a_failure_that_is_allowed_stops_nothing() -> None:
    builder = a_workflow().having(failFast=True).step("a", allowFailure=True).step("b")
    assert Play(builder).turn().fails("a").turn().stopped == []


def test_the_time_to_start_counts_from_when_it_began_to_wait() -> None:
    play = Play(a_workflow().step("s", pendingTimeout="10s")).turn().runs("s").turn(after=500)
    play._see("s", None, seen=Seen.WAITING, waiting_since=play.now).turn(after=9)
    assert play.task("s").phase is Phase.RUNNING
    assert play.turn(after=1).is_("s", Phase.FAILED, "PendingTimeout")


def test_while_it_does_not_start_the_step_says_why_and_no_longer() -> None:
    play = Play(a_workflow().step("s")).turn().waits("s", "ImagePullBackOff", "no such image").turn(after=1)
    assert (play.task("s").message, play.wake_at) == ("", play.now + 4), "most start before anybody would look"
    play.turn(after=4)
    assert play.task("s").message == "ImagePullBackOff: no such image"
    assert play.runs("s").turn(after=1).task("s").message == ""


def test_an_attempt_of_a_step_that_an_edit_removed_is_stopped() -> None:
    play = Play(a_workflow().step("a").step("b")).turn().runs("a").runs("b")
    play.plan = a_workflow().step("b").plan()
    play.turn()
    assert play.stopped == ["a"]
    assert play.succeeds("b").turn().run.phase is Phase.SUCCEEDED


def test_a_further_attempt_waits_until_what_left_no_record_has_ended_again() -> None:
    """An operator that forgot everything finds the record of the failed attempt, and none of the step before, whose expressions failed."""
    never = {"params": {"never": "${{ 1 / params.zero }}"}}
    seen = {"params": {"phase": "${{ steps.a.phase }}"}, "retry": {"limit": 1, "backoff": "1s"}}
    builder = a_workflow().param("zero", 0).step("before").step("a", after=["before"], **never).step("b", **seen)
    play = Play(builder)
    play.fails("b", attempt=0).turn().turn(after=5)
    assert play.started == []
    play.succeeds("before", attempt=0).turn(after=5)
    assert play.task("a").phase is Phase.FAILED
    assert [order.params for order in play.orders] == [{"phase": "Failed"}]

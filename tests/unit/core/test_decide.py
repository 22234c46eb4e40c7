"""What a workflow does next: each policy by itself."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.actions import Probe, Publish, Start, Stop
from mlworkflow.core.decide import POLICIES
from mlworkflow.core.observation import Attempt, Seen
from mlworkflow.core.state import Phase
from mlworkflow.core.values import ArtifactRef

from tests.builders import a_workflow
from tests.unit.core.play import Play

_RETRY = {"limit": 3, "backoff": "10s", "factor": 2, "cap": "25s"}
_A = a_workflow().step("a", outputs="o n:number")
_CHAIN = _A.step("b", inputs="a.o").step("c", after=["b"])


def a_play(builder: Any = _A) -> Play:
    return Play(builder).turn()


def test_the_policies_are_in_this_order() -> None:
    assert [policy.__name__ for policy in POLICIES] == [
        "accept_results",
        "adopt_attempts",
        "accept_refusals",
        "accept_ends",
        "take_turns",
        "tell_waits",
        "obey_cancel",
        "limit_workflow",
        "limit_exit",
        "limit_steps",
        "limit_attempts",
        "limit_pending",
        "advance_steps",
        "judge",
        "advance_exit",
        "stop_orphans",
        "stop_leftovers",
    ]


# ── starting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_chain_starts_one_after_the_other_and_succeeds() -> None:
    play = a_play(_CHAIN)
    started = [play.started]
    for task in "abc":
        play.succeeds(task).turn(1)
        started.append(play.started)
    assert started == [["a"], ["b"], ["c"], []]
    assert (play.run.phase, play.run.reason, play.run.started_at, play.run.finished_at) == (
        Phase.SUCCEEDED,
        "Succeeded",
        1000.0,
        1003.0,
    )


def test_the_same_turn_accepts_a_result_and_starts_what_waited_for_it() -> None:
    play = a_play(_A.step("b", inputs="a.o").step("c", inputs="a.o")).succeeds("a").turn()
    assert play.started == ["b", "c"]


def test_no_more_run_than_parallelism_allows() -> None:
    play = a_play(a_workflow().having(parallelism=2).step("a").step("b").step("c"))
    assert play.started == ["a", "b"]
    assert play.turn().started == []
    assert play.succeeds("b").turn().started == ["c"]


def test_trials_count_against_the_workflows_parallelism() -> None:
    play = a_play(a_workflow().having(parallelism=2).step("a").tune("t", {"p": [1, 2, 3]}))
    assert play.started == ["a", "t/0"]


def test_nothing_starts_while_the_workflow_waits_for_something() -> None:
    play = Play(_A)
    play.waiting = "the store is away"
    assert play.turn().started == []
    assert (play.run.phase, play.run.message) == (Phase.RUNNING, "the store is away")
    play.waiting = ""
    assert play.turn().started == ["a"]


def test_a_wide_workflow_is_started_in_one_fast_turn() -> None:
    builder = a_workflow().param("x", 1)
    wide = type(builder)(
        "w",
        builder.spec,
        tuple({"name": f"s-{n}", "container": {"command": ["x", "${{ params.x + 1 }}"]}} for n in range(2000)),
    )
    play = Play(wide)
    assert len(play.turn().started) == 2000


def test_a_step_that_cannot_start_fails_and_takes_its_descendants_with_it_in_the_same_turn() -> None:
    play = a_play(a_workflow().step("x", params={"p": "${{ 1 / 0 }}"}).step("y", after=["x"]).step("z", after=["y"]))
    assert play.phases == {"x": "Failed", "y": "Skipped", "z": "Skipped"}
    assert (play.run.phase, play.task("x").reason) == (Phase.FAILED, "ExpressionError")
    assert "step 'x' failed: ExpressionError: params: '1 / 0'" in play.run.message


def test_an_optional_artifact_that_is_missing_fails_the_step_that_needs_it() -> None:
    play = a_play(a_workflow().step("a", outputs="o?").step("b", inputs="a.o")).succeeds("a", without="o").turn()
    assert play.is_("b", Phase.FAILED, "ArtifactMissing")


# ── retries ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_step_waits_longer_each_time_up_to_the_cap() -> None:
    play = a_play(a_workflow().step("a", retry=_RETRY))
    waits = []
    for _ in range(3):
        play.fails("a").turn()
        assert play.wake_at is not None
        waits.append(play.wake_at - play.now)
        assert play.turn(waits[-1] - 0.1).started == []
        assert len(play.turn(0.1).started) == 1
    assert waits == [10, 20, 25]
    play.fails("a", "Error", "exit code 3\nlast words").turn()
    assert play.is_("a", Phase.FAILED, "Error")
    assert (play.task("a").attempt, play.task("a").failures, play.run.phase) == (3, 4, Phase.FAILED)
    assert play.run.message == "step 'a' failed: Error: exit code 3"


def test_a_step_without_retry_fails_at_once() -> None:
    assert a_play().fails("a").turn().is_("a", Phase.FAILED, "Error")


def test_losses_do_not_eat_the_retry_budget_and_have_one_of_their_own() -> None:
    play = a_play(a_workflow().step("a", retry={"limit": 0}))
    for loss in range(3):
        play.vanishes("a").turn()
        assert play.asked(Probe)
        play.answers("a", exists=False).turn()
        assert (play.task("a").losses, play.task("a").failures) == (loss + 1, 0)
        play.turn(10)
        assert play.task("a").attempt == loss + 1
    play.vanishes("a").turn().answers("a", exists=False).turn()
    assert play.is_("a", Phase.FAILED, "PodLost")
    assert "lost 4 times" in play.task("a").message


def test_the_first_loss_is_made_good_at_once() -> None:
    assert a_play().vanishes("a").turn().answers("a", exists=False).turn().started == ["a#1"]


def test_a_termination_that_nobody_asked_for_is_a_loss() -> None:
    play = a_play().runs("a").fails("a", "Terminated", "SIGTERM").turn()
    assert (play.task("a").losses, play.task("a").failures, play.started) == (1, 0, ["a#1"])


def test_a_refused_attempt_fails_with_the_words_of_who_refused_and_is_not_tried_again() -> None:
    play = a_play(a_workflow().step("a", retry=_RETRY)).refuses("a", "exceeded quota").turn()
    assert play.is_("a", Phase.FAILED, "CreateRefused")
    assert play.run.message == "step 'a' failed: CreateRefused: exceeded quota"


# ── ends ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_end_without_a_word_is_looked_into_before_it_is_judged() -> None:
    play = (
        a_play(a_workflow().step("a", retry=_RETRY)).ends("a", 137, reason="OOMKilled", message="out of memory").turn()
    )
    assert [(probe.task, probe.attempt) for probe in play.asked(Probe)] == [("a", 0)]
    assert play.task("a").phase is Phase.RUNNING
    play.answers("a", exists=True, tail="line 1\nline 2").turn()
    assert (play.task("a").failures, play.task("a").reason, play.task("a").message) == (
        1,
        "OOMKilled",
        "out of memory\nline 1\nline 2",
    )


@pytest.mark.parametrize(
    ("exit_code", "fields", "reason", "message"),
    [
        pytest.param(0, {}, "CommitMissing", "its result never arrived", id="a good end without a result"),
        pytest.param(None, {"lost": True, "reason": "Evicted", "message": "disk"}, "Evicted", "disk", id="an eviction"),
        pytest.param(None, {"lost": True}, "PodLost", "ended from outside", id="an end from outside without a reason"),
    ],
)
def test_it_is_a_loss_and_no_failure(exit_code: int | None, fields: dict[str, Any], reason: str, message: str) -> None:
    play = a_play(a_workflow().having(suspend=False).step("a")).ends("a", exit_code, **fields).turn()
    play.change(suspend=True).answers("a", exists=True).turn()
    assert (play.task("a").losses, play.task("a").failures, play.task("a").reason) == (1, 0, reason)
    assert message in play.task("a").message


def test_a_record_found_by_the_probe_decides() -> None:
    play = a_play().vanishes("a").turn().answers("a", exists=False)
    play.attempts[("a", 0)] = Attempt("a", 0, "a-pod", Seen.RUNNING, play.now)
    assert play.succeeds("a").turn().is_("a", Phase.SUCCEEDED)


def test_an_attempt_that_exists_but_is_not_seen_is_looked_up_again() -> None:
    play = a_play().vanishes("a").turn().answers("a", exists=True).turn()
    assert (play.task("a").phase, play.actions, play.wake_at) == (Phase.RUNNING, (), play.now + 2)
    assert play.turn(2).asked(Probe)


# ── dependencies ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failure_skips_its_descendants_while_independent_branches_finish() -> None:
    play = a_play(_CHAIN.step("x").step("y", after=["x"])).fails("a").turn()
    assert play.phases == {"a": "Failed", "b": "Skipped", "c": "Skipped", "x": "Running", "y": "Pending"}
    assert (play.task("b").reason, play.task("c").reason) == ("DependencyFailed", "DependencyFailed")
    assert play.run.phase is Phase.RUNNING
    play.succeeds("x").turn().succeeds("y").turn()
    assert (play.run.phase, play.phases["y"]) == (Phase.FAILED, "Succeeded")


def test_the_workflow_names_its_first_failure_in_time() -> None:
    play = a_play(a_workflow().step("a").step("b"))
    play.fails("b", "Error", "first").turn().fails("a", "Error", "second").turn(1)
    assert play.run.message == "step 'b' failed: Error: first"


@pytest.mark.parametrize(
    ("number", "phase", "reason"), [(0.9, Phase.RUNNING, ""), (0.1, Phase.SKIPPED, "ConditionFalse")]
)
def test_a_condition_decides_whether_a_step_runs(number: float, phase: Phase, reason: str) -> None:
    play = a_play(_A.step("b", when="${{ steps.a.outputs.n > 0.5 }}")).succeeds("a", n=number).turn()
    assert play.is_("b", phase, reason)


def test_what_waits_for_a_skipped_step_is_skipped_and_the_workflow_succeeds() -> None:
    play = a_play(a_workflow().step("a", when="${{ false }}").step("b", after=["a"]).step("c", after=["b"]))
    assert [play.task(name).reason for name in "abc"] == ["ConditionFalse", "DependencySkipped", "DependencySkipped"]
    assert play.run.phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    ("when", "words"),
    [("${{ 1 }}", "is int, not true or false"), ("${{ 1 / 0 > 1 }}", "division by zero"), ("x${{ true }}", "is str")],
)
def test_a_condition_that_is_none_fails_its_step(when: str, words: str) -> None:
    play = a_play(a_workflow().step("a", when=when).step("b", after=["a"]))
    assert play.is_("a", Phase.FAILED, "ExpressionError")
    assert words in play.task("a").message
    assert play.phases["b"] == "Skipped"


# ── time limits ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_step_that_runs_too_long_is_stopped_and_fails() -> None:
    play = a_play(a_workflow().step("a", timeout="60s", retry=_RETRY))
    assert play.wake_at == 1060
    assert play.runs("a").turn(30).wake_at == 1060
    play.turn(30)
    assert play.is_("a", Phase.FAILED, "DeadlineExceeded")
    assert (play.stopped, play.run.phase) == (["a"], Phase.FAILED)


def test_the_time_of_a_step_runs_on_through_its_retries() -> None:
    play = a_play(a_workflow().step("a", timeout="15s", retry=_RETRY)).fails("a").turn(9)
    play.turn(6)
    assert play.is_("a", Phase.FAILED, "DeadlineExceeded")
    assert play.stopped == []


def test_a_workflow_that_runs_too_long_is_stopped_and_fails() -> None:
    play = a_play(_CHAIN.having(timeout="1m")).runs("a")
    assert play.wake_at == 1060
    play.turn(60)
    assert play.stopped == ["a"]
    assert play.phases == {"a": "Failed", "b": "Cancelled", "c": "Cancelled"}
    assert (play.run.phase, play.run.reason) == (Phase.FAILED, "DeadlineExceeded")


def test_a_suspended_workflow_still_wakes_for_its_timeout() -> None:
    assert a_play(_A.having(timeout="1m", suspend=True)).wake_at == 1060


def test_a_workflow_whose_steps_all_ended_in_time_succeeds_however_late_that_is_seen() -> None:
    play = a_play(_A.having(timeout="1m")).succeeds("a").turn(3600)
    assert play.run.phase is Phase.SUCCEEDED


def test_an_attempt_that_never_starts_fails_with_what_it_waited_for() -> None:
    play = a_play(a_workflow().step("a", pendingTimeout="30s", retry=_RETRY))
    assert play.wake_at == 1030
    assert play.waits("a", "ImagePullBackOff", "no such image").turn(10).wake_at == 1030
    play.turn(20)
    assert play.is_("a", Phase.FAILED, "ImagePullBackOff")
    assert play.stopped == ["a"]
    assert play.task("a").message == "did not start within 30s: no such image"


def test_an_attempt_that_never_starts_and_gives_no_reason_has_one() -> None:
    assert (
        a_play(a_workflow().step("a", pendingTimeout="1s")).waits("a").turn(1).is_("a", Phase.FAILED, "PendingTimeout")
    )


# ── what a person asks for ─────────────────────────────────────────────────────────────────────────────────────────


def test_while_suspended_nothing_starts_and_what_runs_goes_on() -> None:
    play = a_play(_CHAIN).runs("a").change(suspend=True).turn()
    assert (play.run.phase, play.stopped) == (Phase.SUSPENDED, [])
    assert play.succeeds("a").turn().started == []
    assert play.change(suspend=False).turn().started == ["b"]
    assert play.run.phase is Phase.RUNNING


def test_cancel_stops_what_runs_and_ends_the_workflow() -> None:
    play = a_play(_CHAIN).runs("a").change(cancel=True).turn()
    assert play.stopped == ["a"]
    assert set(play.phases.values()) == {"Cancelled"}
    assert (play.run.phase, play.run.message) == (Phase.CANCELLED, "cancelled by request")


def test_cancel_keeps_what_has_been_committed() -> None:
    play = a_play(_CHAIN).succeeds("a").change(cancel=True).turn()
    assert play.phases == {"a": "Succeeded", "b": "Cancelled", "c": "Cancelled"}


def test_a_finished_workflow_stays_as_it_is_and_stops_what_is_left() -> None:
    play = a_play(_CHAIN).runs("a").change(cancel=True).turn()
    before = play.run
    play.turn(1)
    assert (play.run, play.stopped, play.wake_at) == (before, ["a"], None)
    play.attempts.clear()
    assert play.turn(1).actions == ()


# ── restarts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_attempt_that_the_status_does_not_know_is_adopted() -> None:
    play = Play(_A)
    play.attempts[("a", 2)] = Attempt("a", 2, "the-pod", Seen.RUNNING, 990.0)
    play.turn()
    assert (play.actions, play.task("a").attempt, play.task("a").handle, play.task("a").started_at) == (
        (),
        2,
        "the-pod",
        990.0,
    )


def test_an_adopted_attempt_says_what_those_before_it_cost() -> None:
    """Whoever started it may have died before writing that down, or be a second operator whose gateway heard of the failure."""
    play = Play(a_workflow().step("a", retry=_RETRY)).turn()
    play.attempts[("a", 2)] = Attempt("a", 2, "the-pod", Seen.RUNNING, 990.0, failures=1, losses=1)
    play.turn()
    assert (play.task("a").attempt, play.task("a").failures, play.task("a").losses) == (2, 1, 1)
    play.fails("a", attempt=2).turn()
    assert play.task("a").failures == 2


def test_results_that_the_status_does_not_know_are_replayed_in_order() -> None:
    play = Play(a_workflow().step("a", retry=_RETRY).step("b", after=["a"]))
    play.fails("a", attempt=0).fails("a", attempt=1).succeeds("a", attempt=2).turn()
    assert (play.task("a").phase, play.task("a").attempt, play.task("a").failures, play.started) == (
        Phase.SUCCEEDED,
        2,
        2,
        ["b"],
    )


def test_a_committed_step_does_not_run_again_after_a_restart() -> None:
    play = a_play(_CHAIN).succeeds("a").turn()
    assert play.restarts().turn().started == []
    assert play.phases == {"a": "Succeeded", "b": "Running", "c": "Pending"}


def test_a_failure_that_has_been_counted_is_not_counted_again() -> None:
    play = a_play(a_workflow().step("a", retry=_RETRY)).fails("a").turn()
    for _ in range(3):
        play.restarts().turn()
    assert play.task("a").failures == 1


def test_the_pod_in_the_status_is_that_of_the_attempt_that_counts() -> None:
    play = Play(a_workflow().step("a", retry=_RETRY))
    first = play.turn().task("a").handle
    play.fails("a", attempt=0).succeeds("a", attempt=1).turn()
    assert "-a-0-" in first
    assert "-a-1-" in play.task("a").handle


def test_an_attempt_that_nobody_waits_for_is_stopped_once() -> None:
    play = a_play().succeeds("a")
    play.attempts[("a", 1)] = Attempt("a", 1, "zombie", Seen.RUNNING, 0.0)
    play.attempts[("gone", 0)] = Attempt("gone", 0, "stranger", Seen.RUNNING, 0.0)
    play.attempts[("gone", 1)] = Attempt("gone", 1, "leaving", Seen.RUNNING, 0.0, leaving=True)
    play.attempts[("gone", 2)] = Attempt("gone", 2, "ended", Seen.ENDED, 0.0)
    assert [stop.handle for stop in play.turn().asked(Stop)] == ["zombie", "stranger"]


def test_an_attempt_that_has_committed_leaves_by_itself() -> None:
    play = a_play(_CHAIN).runs("a")
    attempt = play.attempts[("a", 0)]
    play.succeeds("a").attempts[("a", 0)] = attempt
    assert play.turn().stopped == []


# ── tune ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_study(**fields: Any) -> Play:
    return a_play(a_workflow().tune("t", {"p": [3, 5, 8], "q": ["x"]}, **fields))


def finish(play: Play, *values: float | None) -> Play:
    for number, value in enumerate(values):
        play = play.fails(f"t/{number}") if value is None else play.succeeds(f"t/{number}", acc=value)
        play.turn(1)
    return play


def test_trials_run_as_many_at_once_as_may() -> None:
    play = a_study(trials={"parallel": 2})
    assert play.started == ["t/0", "t/1"]
    assert play.turn().started == []
    assert play.succeeds("t/1", acc=1.0).turn().started == ["t/2"]


@pytest.mark.parametrize(
    ("goal", "values", "best"),
    [
        pytest.param("maximize", (0.1, 0.9, 0.5), 1, id="the greatest"),
        pytest.param("minimize", (0.4, 0.9, 0.1), 2, id="the smallest"),
        pytest.param("maximize", (0.5, 0.9, 0.9), 1, id="the first of equals upwards"),
        pytest.param("minimize", (0.9, 0.1, 0.1), 1, id="the first of equals downwards"),
    ],
)
def test_the_best_trial_is(goal: str, values: tuple[float, ...], best: int) -> None:
    play = finish(a_study(goal=goal), *values)
    (publish,) = play.asked(Publish)
    assert publish.parameters["best"] == {
        "params": {"p": [3, 5, 8][best], "q": "x"},
        "value": values[best],
        "trial": best,
    }
    assert publish.reuse["model"].digest == f"sha256:t/{best}.model"


def test_the_table_of_trials_is_the_same_bytes_for_the_same_trials() -> None:
    play = finish(a_study(trials={"maxFailed": 1}), 0.25, None, 1.0)
    (publish,) = play.asked(Publish)
    table = b"trial,phase,acc,reason,p,q\n0,Succeeded,0.25,,3,x\n1,Failed,,Error,5,x\n2,Succeeded,1.0,,8,x\n"
    assert publish.files["trials"] == table
    assert (publish.parameters["trial_count"], publish.parameters["failed_count"]) == (3, 1)


def test_a_tune_step_succeeds_with_what_was_published_and_what_waits_for_it_starts() -> None:
    builder = a_workflow().tune("t", {"p": [1, 2]}).step("b", ["${{ steps.t.best.params.p }}"], inputs="t.model")
    play = finish(a_play(builder), 0.1, 0.2).publishes().turn()
    assert (play.is_("t", Phase.SUCCEEDED), play.started, play.orders[0].command) == (True, ["b"], ("2",))


def test_publishing_is_asked_for_until_it_is_done() -> None:
    play = finish(a_study(), 0.1, 0.2, 0.3)
    assert play.turn().asked(Publish)
    assert play.publishes().turn().asked(Publish) == []


def test_a_metric_that_was_emitted_goes_before_an_output_parameter() -> None:
    play = a_play(a_workflow().tune("t", {"p": [1]})).succeeds("t/0", metrics={"acc": 0.75}, acc=0.1).turn()
    assert play.asked(Publish)[0].parameters["best"]["value"] == 0.75


@pytest.mark.parametrize("value", [None, "high", True, float("nan"), float("inf")])
def test_a_trial_without_its_metric_has_failed(value: object) -> None:
    play = a_play(a_workflow().tune("t", {"p": [1]}, trials={"maxFailed": 1})).succeeds("t/0", acc=value).turn()
    assert play.is_("t/0", Phase.FAILED, "MetricMissing")
    assert play.is_("t", Phase.FAILED, "NoTrials")
    assert play.run.phase is Phase.FAILED


def test_with_more_failed_trials_than_may_the_step_fails_and_stops_the_others() -> None:
    play = a_study(trials={"maxFailed": 0}).runs("t/0").runs("t/2").fails("t/1", "Error", "boom").turn()
    assert play.is_("t", Phase.FAILED, "TrialsFailed")
    assert play.stopped == ["t/0", "t/2"]
    assert "1 of 3 trials failed, 0 may; trial 1: Error: boom" in play.task("t").message
    assert [play.task(f"t/{number}").phase for number in range(3)] == [Phase.CANCELLED, Phase.FAILED, Phase.CANCELLED]


def test_a_trial_is_tried_again_as_the_tune_steps_retry_says() -> None:
    play = a_study(retry={"limit": 1, "backoff": "1s"}).fails("t/0").turn()
    assert play.turn(1).started == ["t/0#1"]


def test_a_tune_step_that_fails_takes_its_descendants_with_it_in_the_same_turn() -> None:
    play = a_play(
        a_workflow()
        .param("most", "x")
        .tune("t", {"p": [1]}, trials={"max": "${{ params.most }}"})
        .step("b", after=["t"])
    )
    assert (play.run.phase, play.phases) == (Phase.FAILED, {"t": "Failed", "b": "Skipped"})
    assert play.is_("t", Phase.FAILED, "ExpressionError")


def test_a_tune_step_that_ended_leaves_no_trial_behind_though_an_older_state_says_it_runs() -> None:
    play = finish(a_study(trials={"maxFailed": 1}), 0.1, 0.2, 0.3)
    play.publishes()
    del play.results[("t/2", 0)]
    older = Play(a_workflow().tune("t", {"p": [3, 5, 8], "q": ["x"]}))
    older.results = play.results
    older.attempts[("t/2", 0)] = Attempt("t/2", 0, "pod", Seen.WAITING, 990.0)
    older.turn()
    assert (older.run.phase, older.task("t/2").phase, older.stopped) == (Phase.SUCCEEDED, Phase.CANCELLED, ["t/2"])


def test_a_timeout_of_a_tune_step_is_its_trials_too_and_each_is_stopped_once() -> None:
    play = a_study(timeout="10s").runs("t/0").runs("t/1").runs("t/2").turn(10)
    assert play.is_("t", Phase.FAILED, "DeadlineExceeded")
    assert sorted(play.stopped) == ["t/0", "t/1", "t/2"]


# ── the function itself ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_start_is_not_repeated_while_the_attempt_is_shown_as_being_created() -> None:
    play = a_play()
    assert [play.turn(1).asked(Start) for _ in range(3)] == [[], [], []]


# ── what failures leave ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("source", ["a.o", ["a.o", "b.o"]], ids=["one", "the first that exists"])
def test_what_a_failed_attempt_left_is_never_an_input(source: Any) -> None:
    left = {"outputs": {"o": ArtifactRef("sha256:" + "a" * 64, 1)}, "parameters": {"n": 7}}
    flow = (
        a_workflow()
        .step("a", outputs="o n:number", allowFailure=True)
        .step("b", outputs="o")
        .step("c", inputs={"x": {"from": source}}, after=["b"])
        .step("d", when="${{ steps.a.outputs.n == 7 }}")
    )
    play = a_play(flow)
    play.fails("a", left=left).succeeds("b").turn()
    assert play.task("a").phase is Phase.FAILED
    assert play.task("d").phase is Phase.SKIPPED
    if source == "a.o":
        assert play.task("c").phase is Phase.SKIPPED
    else:
        (order,) = [order for order in play.orders if order.task == "c"]
        assert order.inputs["x"] == play.task("b").artifacts["o"]

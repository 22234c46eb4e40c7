"""Trials that share a Pod: who shares one, what it is, when each begins, and whose lines its log has."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from mlworkflow.core import riders
from mlworkflow.core.actions import Choose, Order
from mlworkflow.core.errors import SpecError
from mlworkflow.core.observation import Seen
from mlworkflow.core.pods import PodSettings, step_pod
from mlworkflow.core.state import Phase

from tests.builders import WorkflowBuilder, a_workflow, order_of
from tests.unit.core.play import Play

SETTINGS = PodSettings(gateway="https://gateway", steps_image="steps", agent_image="agent")
AGENT = {"image": "i", "command": ["c"], "agent": True}


def a_study(count: int = 8, per_pod: object = 4, parallel: int = 8, **trial: Any) -> WorkflowBuilder:
    trials = {"max": count, "parallel": parallel, "perPod": per_pod, "maxFailed": 1}
    space = {"x": list(range(count))}
    return a_workflow().tune("t", space, trials=trials, trial={"container": AGENT, **trial}, trial_outputs="acc:number")


def some(builder: WorkflowBuilder, *numbers: int) -> list[Order]:
    return [order_of(builder, f"t/{number}") for number in numbers]


def tasks(seats: list[tuple[Order, ...]]) -> list[list[str]]:
    return [[order.task for order in seat] for seat in seats]


def test_trials_share_pods_in_their_order_as_many_as_may() -> None:
    seats = riders.seated(some(a_study(9), *range(9)))
    assert tasks(seats) == [["t/0", "t/1", "t/2", "t/3"], ["t/4", "t/5", "t/6", "t/7"], ["t/8"]]
    assert tasks(riders.seated(some(a_study(2, per_pod=1), 0, 1))) == [["t/0"], ["t/1"]]


def test_only_what_would_have_the_same_pod_shares_one() -> None:
    by_number = {"resources": {"limits": {"memory": "${{ trial.number > 1 ? '2Gi' : '1Gi' }}"}}}
    assert tasks(riders.seated(some(a_study(**by_number), 0, 1, 2, 3))) == [["t/0", "t/1"], ["t/2", "t/3"]]
    env = {"env": [{"name": "SEED", "value": "${{ trial.number }}"}]}
    assert tasks(riders.seated(some(a_study(**env), 0, 1))) == [["t/0"], ["t/1"]]


def test_who_has_failed_or_was_lost_twice_has_a_pod_to_itself() -> None:
    first, second, third, fourth = some(a_study(), 0, 1, 2, 3)
    orders = [first, replace(second, failures=1), replace(third, losses=1), replace(fourth, losses=2)]
    assert tasks(riders.seated(orders)) == [["t/0", "t/2"], ["t/1"], ["t/3"]]


def test_a_pod_that_is_shared_is_that_of_one_and_names_all() -> None:
    first, *others = some(a_study(timeout="1m"), 0, 1, 2)
    alone, shared = step_pod(first, SETTINGS), step_pod(first, SETTINGS, others)
    assert shared["metadata"]["name"] == alone["metadata"]["name"]
    listed = shared["metadata"]["annotations"].pop("mlworkflow.io/riders")
    assert [rider.name for rider in riders.read(listed)] == ["t/0/0", "t/1/0", "t/2/0"]
    assert [rider.fingerprint for rider in riders.read(listed)] == [one.fingerprint for one in (first, *others)]
    (container,) = shared["spec"]["containers"]
    assert container["env"].pop(0) == {"name": "MLWF_RIDERS", "value": "t/0/0 t/1/0 t/2/0"}
    assert shared["spec"].pop("activeDeadlineSeconds") == 4 * alone["spec"].pop("activeDeadlineSeconds")
    assert shared == alone, "all else is the same"


def test_each_has_its_own_place_in_the_trace() -> None:
    first, second = some(a_study(), 0, 1)
    settings = replace(SETTINGS, is_traced=True)
    variables = {
        each["name"]: each["value"] for each in step_pod(first, settings, [second])["spec"]["containers"][0]["env"]
    }
    own = [
        next(
            each["value"]
            for each in step_pod(one, settings)["spec"]["containers"][0]["env"]
            if each["name"] == "TRACEPARENT"
        )
        for one in (first, second)
    ]
    assert variables["MLWF_TRACES"].split() == own


def test_an_annotation_of_a_hundred_is_far_from_what_the_api_takes() -> None:
    order = replace(some(a_study(), 0)[0], task=f"{'a' * 63}/999.{'b' * 63}/9999", fingerprint="f" * 64)
    assert len(riders.written([order] * 100)) < 64 << 10
    assert riders.read('[["t/0"]]') == riders.read("[]") == riders.read("what?") == []


@pytest.mark.parametrize(
    ("builder", "words"),
    [
        (a_study(per_pod=0), "spec.steps[0].tune.trials.perPod: is at least 1, not 0"),
        (a_study(per_pod=101, parallel=200), "tune.trials.perPod: is at most 100, not 101"),
        (a_study(per_pod=9), "tune.trials.perPod: is at most trials.parallel, which is 8"),
        (a_study(container={"image": "i"}), "tune.trials.perPod: needs the agent"),
        (
            a_workflow().tune(
                "t",
                {"x": [1]},
                trials={"perPod": 2},
                trial={"steps": [{"name": "a", "container": AGENT}]},
                trial_outputs="",
            ),
            "tune.trials.perPod: the steps of a group have a Pod each",
        ),
    ],
)
def test_what_cannot_share_is_refused_by_its_field(builder: WorkflowBuilder, words: str) -> None:
    with pytest.raises(SpecError, match=re.escape(words)):
        builder.plan()


def test_a_number_that_is_worked_out_is_checked_then() -> None:
    play = Play(a_study(per_pod="${{ params.n }}").param("n", 9)).turn()
    assert play.task("t").reason == "ExpressionError"
    assert "tune.trials.perPod: is at most trials.parallel" in play.task("t").message
    assert [order.per_pod for order in Play(a_study(per_pod="${{ params.n }}").param("n", 2)).turn().orders] == [2] * 8


# ── when they start and begin ──────────────────────────────────────────────────────────────────────────────────────


def a_play(builder: WorkflowBuilder) -> Play:
    """The first turn has been, and what it started shares Pods."""
    return boarded(Play(builder).turn())


def boarded(play: Play) -> Play:
    for seat in riders.seated(play.orders):
        aboard = tuple((order.task, order.attempt) for order in seat)
        for key in aboard:
            play.attempts[key] = replace(
                play.attempts[key], handle=f"pod-of-{aboard[0][0]}", aboard=aboard if len(aboard) > 1 else ()
            )
    return play


def runs(play: Play, *names: str) -> Play:
    for name in names:
        key = (name, play.task(name).attempt)
        play.attempts[key] = replace(play.attempts[key], seen=Seen.RUNNING, reason="", running_since=play.now)
    return play


def commits(play: Play, name: str) -> Play:
    """One has succeeded, and its Pod goes on for the others."""
    key = (name, play.task(name).attempt)
    attempt = play.attempts[key]
    play.succeeds(name, acc=1.0).attempts[key] = attempt
    return play


def test_as_many_start_together_as_share_a_pod() -> None:
    play = a_play(a_study(10, per_pod=4, parallel=6))
    assert [order.task for order in play.orders] == [f"t/{number}" for number in range(6)]
    started = []
    for number in range(9):
        commits(play, f"t/{number}").turn()
        started.append(len(play.orders))
        boarded(play)
    assert started == [0, 0, 0, 4, 0, 0, 0, 0, 0], "the last four, once there is room for four"


def test_the_last_ones_wait_for_no_more_than_there_are() -> None:
    play = a_play(a_study(5, per_pod=4, parallel=4))
    commits(play, "t/0").turn()
    assert [order.task for order in play.orders] == ["t/4"]


def test_parameters_are_chosen_together_too() -> None:
    trials = {"max": 6, "parallel": 4, "perPod": 2}
    study = a_workflow().tune(
        "t",
        {"x": [1, 2, 3]},
        trials=trials,
        algorithm={"random": {}},
        trial={"container": AGENT},
        trial_outputs="acc:number",
    )
    play, counts, done = Play(study).turn(), list[int](), 0
    while done < 6:
        asked = [action for action in play.decision.actions if isinstance(action, Choose)]
        for action in asked:
            for index in range(action.count):
                play.chosen[f"t/{len(action.told) + index}"] = {"x": index + 1}
            boarded(play.turn())
        counts.append(sum(action.count for action in asked))
        boarded(commits(play, f"t/{done}").turn())
        done += 1
    assert counts == [4, 0, 2, 0, 0, 0], "when there is room for two"


def test_each_begins_when_those_before_it_have_ended() -> None:
    play = a_play(a_study(3, per_pod=3, timeout="60s", retry={"limit": 0}))
    play.turn(5)
    assert [play.task(f"t/{number}").started_at for number in range(3)] == [None] * 3, "no Pod runs yet"
    assert [play.task(f"t/{number}").handle for number in range(3)] == ["pod-of-t/0"] * 3
    runs(play, "t/0", "t/1", "t/2").turn(5)
    first = play.now
    assert [play.task(f"t/{number}").started_at for number in range(3)] == [first, None, None]
    commits(play, "t/0").turn(50)
    assert [play.task(f"t/{number}").started_at for number in range(3)] == [first, first + 50, None]
    play.turn(59)
    assert play.task("t/1").phase is Phase.RUNNING, "109 seconds after its Pod began, and 59 after its own turn"
    play.turn(1)
    assert play.task("t/1").reason == "DeadlineExceeded"
    assert play.decision.wake_at == play.now
    play.turn()
    assert play.task("t/2").started_at == play.now


def test_an_attempt_s_time_begins_with_its_turn() -> None:
    play = a_play(a_study(2, per_pod=2, attemptTimeout="60s", retry={"limit": 0}))
    runs(play, "t/0", "t/1").turn(5)
    commits(play, "t/0").turn(59)
    play.turn(59)
    assert play.task("t/1").phase is Phase.RUNNING
    play.turn(1)
    assert play.task("t/1").message.startswith("attempt 0 ran longer than its timeout")


def test_a_trial_that_was_lost_before_its_turn_begins_anew() -> None:
    play = a_play(a_study(2, per_pod=2))
    runs(play, "t/0", "t/1").turn(5)
    for name in ("t/0", "t/1"):
        play.ends(name, exit_code=None, lost=True, reason="Evicted")
    play.turn(1)
    for name in ("t/0", "t/1"):
        play.answers(name, exists=True)
    boarded(play.turn(1))
    assert [order.losses for order in play.orders] == [1, 1]
    assert [len(seat) for seat in riders.seated(play.orders)] == [2]
    runs(play, "t/0", "t/1").turn(7)
    assert [play.task(name).started_at for name in ("t/0", "t/1")] == [play.now, None]


# ── the log of a Pod ───────────────────────────────────────────────────────────────────────────────────────────────

LOG = b"early\n\nmlworkflow: now t/0/0\none\ntwo\n\nmlworkflow: now t/1/0\nthree\rfour\nmlworkflow: no\n\nmlworkflow: now t/10/0\nfive"


def test_the_log_of_a_pod_has_a_part_of_each() -> None:
    parts = {name: riders.part(LOG, name) for name in ("t/0/0", "t/1/0", "t/10/0", "t/2/0")}
    assert parts == {
        "t/0/0": b"one\ntwo\n\n",
        "t/1/0": b"three\rfour\nmlworkflow: no\n\n",
        "t/10/0": b"five",
        "t/2/0": b"",
    }


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("name", ["t/0/0", "t/1/0", "t/10/0"])
def test_a_log_that_comes_in_pieces_has_the_same_parts(name: str, size: int) -> None:
    own = riders.Part(name)
    pieces = [own.of(LOG[start : start + size]) for start in range(0, len(LOG), size)]
    assert b"".join([*pieces, own.of(b"", is_last=True)]) == riders.part(LOG, name)
    assert own.is_over == (name != "t/10/0")


def test_what_comes_before_the_first_is_everybody_s() -> None:
    assert riders.Part("t/1/0", is_own=True).of(LOG, is_last=True).startswith(b"early\n\nthree")


def test_a_line_without_an_end_is_not_waited_for_forever() -> None:
    own = riders.Part("t/0/0")
    own.of(b"mlworkflow: now t/0/0\n")
    assert len(own.of(b"x" * (riders.LONGEST_LINE + 1))) > riders.LONGEST_LINE


def test_the_annotation_is_what_its_orders_say() -> None:
    order = replace(some(a_study(), 3)[0], failures=0, losses=1)
    assert msgspec.json.decode(riders.written([order])) == [["t/3", 0, 0, 1, order.fingerprint]]

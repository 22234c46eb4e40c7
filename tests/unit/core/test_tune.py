"""Tune steps whose parameters are chosen one after the other: when that is asked for, and what ends a search."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core import abridging, rerun, status
from mlworkflow.core.actions import Choose, Judge, Publish, Stop, Told
from mlworkflow.core.observation import Curve, Result
from mlworkflow.core.state import Phase
from mlworkflow.core.turn import PRUNED_GRACE
from msgspec.structs import replace

from tests.builders import WorkflowBuilder, a_workflow

from .play import Play

SPACE = {"x": {"float": {"min": 0, "max": 1}}}


def a_search(max: int = 3, parallel: int = 1, **fields: Any) -> WorkflowBuilder:
    trials = {"max": max, "parallel": parallel, **fields.pop("trials", {})}
    return a_workflow().tune("t", SPACE, algorithm={"tpe": {"seed": 7}}, trials=trials, **fields)


def with_body(builder: WorkflowBuilder, **fields: Any) -> WorkflowBuilder:
    """The tune step with more fields of its kind."""
    (step,) = builder.steps
    return a_workflow().raw({**step, "tune": {**step["tune"], **fields}})


def asked(play: Play) -> Choose:
    (choose,) = play.asked(Choose)
    return choose


def test_nothing_starts_before_its_parameters_are_written_down() -> None:
    play = Play(a_search()).turn()
    assert (asked(play).count, asked(play).told, play.started) == (1, (), [])
    play.chooses({"x": 0.5}).turn()
    assert play.started == ["t/0"]
    assert play.orders[0].params == {"x": 0.5}
    assert play.asked(Choose) == []


def test_a_choice_knows_every_trial_before_it() -> None:
    play = Play(a_search(max=5, parallel=2, trials={"maxFailed": 1})).turn().chooses({"x": 0.1}, {"x": 0.2}).turn()
    assert play.started == ["t/0", "t/1"]
    play.succeeds("t/1", acc=0.75).turn()
    assert asked(play).told == (Told({"x": 0.1}, None, is_finished=False), Told({"x": 0.2}, [0.75]))
    play.chooses({"x": 0.3}).fails("t/0").turn()
    assert asked(play).told[0] == Told({"x": 0.1}, None)
    assert [told.params["x"] for told in asked(play).told] == [0.1, 0.2, 0.3]


def test_as_many_are_chosen_as_may_run_and_no_more_than_there_may_be() -> None:
    play = Play(a_search(max=3, parallel=2)).turn()
    assert asked(play).count == 2
    play.chooses({"x": 0.1}, {"x": 0.2}).turn().succeeds("t/0", acc=0.1).succeeds("t/1", acc=0.2).turn()
    assert asked(play).count == 1
    play.chooses({"x": 0.3}).turn().succeeds("t/2", acc=0.15).turn()
    assert play.asked(Publish)[0].parameters == {
        "best": {"params": {"x": 0.2}, "value": 0.2, "trial": 1},
        "trial_count": 3,
        "failed_count": 0,
    }


def test_a_suspended_search_chooses_nothing() -> None:
    play = Play(a_search()).change(suspend=True).turn()
    assert play.asked(Choose) == []


def test_a_restart_asks_nothing_twice() -> None:
    play = Play(a_search()).turn().chooses({"x": 0.5}).turn().succeeds("t/0", acc=0.1).turn().chooses({"x": 0.6})
    play.restarts().turn()
    assert play.started == ["t/1"]
    assert (play.task("t/0").params, play.task("t/1").params) == ({"x": 0.5}, {"x": 0.6})
    play.chosen = {}  # what the status shows is as good
    assert play.restarts().turn().asked(Choose) == []
    assert play.task("t/1").params == {"x": 0.6}


def test_an_attempt_that_is_lost_is_repeated_with_the_same_parameters() -> None:
    play = Play(a_search()).turn().chooses({"x": 0.5}).turn().runs("t/0").ends("t/0", None, lost=True).turn()
    play.answers("t/0", exists=False).turn()
    assert (play.started, play.orders[0].params) == (["t/0#1"], {"x": 0.5})


def test_what_cannot_be_chosen_fails_the_step() -> None:
    play = Play(a_search()).turn()
    play.unchosen = {"t": "tune.algorithm.gp needs the package 'torch'"}
    play.turn()
    assert play.is_("t", Phase.FAILED, "ChoiceFailed")
    assert "torch" in play.task("t").message


def test_a_trial_that_reaches_the_goal_ends_the_search_and_stops_the_others() -> None:
    play = Play(a_search(max=9, parallel=2, trials={"goal": 0.9})).turn().chooses({"x": 0.1}, {"x": 0.2}).turn()
    play.runs("t/0").runs("t/1").succeeds("t/1", acc=0.9).turn()
    assert (play.stopped, play.asked(Choose)) == (["t/0"], [])
    assert play.is_("t/0", Phase.CANCELLED, "GoalReached")
    (publish,) = play.asked(Publish)
    assert publish.parameters == {
        "best": {"params": {"x": 0.2}, "value": 0.9, "trial": 1},
        "trial_count": 2,
        "failed_count": 0,
    }
    assert publish.files["trials"] == b"trial,phase,acc,reason,x\n0,Cancelled,,GoalReached,0.1\n1,Succeeded,0.9,,0.2\n"
    assert play.publishes().turn().run.phase is Phase.SUCCEEDED


def test_a_goal_of_what_is_minimised_is_reached_from_above() -> None:
    play = Play(a_search(goal="minimize", trials={"goal": 0.1})).turn().chooses({"x": 0.1}).turn()
    assert play.succeeds("t/0", acc=0.2).turn().asked(Publish) == []
    assert play.chooses({"x": 0.2}).turn().succeeds("t/1", acc=0.05).turn().asked(Publish)


def test_when_its_time_is_over_the_best_so_far_is_the_result() -> None:
    play = Play(a_search(max=9, trials={"timeout": "60s"})).turn().chooses({"x": 0.1}).turn()
    play.succeeds("t/0", acc=0.5).turn(20).chooses({"x": 0.2}).turn().runs("t/1")
    assert play.turn().wake_at == 1060.0
    play.turn(41)
    assert play.is_("t/1", Phase.CANCELLED, "BudgetSpent")
    assert play.asked(Publish)[0].parameters["best"]["trial"] == 0


def test_a_time_in_which_nothing_succeeded_fails_the_step() -> None:
    play = Play(a_search(trials={"timeout": "60s"})).turn().chooses({"x": 0.1}).turn().turn(60)
    assert play.is_("t", Phase.FAILED, "NoTrials")
    assert "trials.timeout: 60s are over" in play.task("t").message


def test_a_grid_whose_constraints_leave_nothing_says_so() -> None:
    builder = with_body(a_workflow().tune("t", {"p": [1, 2]}), constraints=["${{ trial.params.p > 2 }}"])
    play = Play(builder).turn()
    assert play.is_("t", Phase.FAILED, "NoTrials")
    assert "no combination of the grid keeps tune.constraints" in play.task("t").message


def test_the_missing_metric_is_named_with_what_the_trial_left_instead() -> None:
    builder = with_body(a_search(trials={"maxFailed": 1}), metric={"name": "acc", "pattern": "acc=(.*)"})
    play = Play(builder).turn().chooses({"x": 0.1}).turn().succeeds("t/0", metrics={"loss": 1.0}, seconds=3).turn()
    assert play.is_("t/0", Phase.FAILED, "MetricMissing")
    message = play.task("t/0").message
    assert "'acc'" in message
    assert "nothing that it printed matches 'acc=(.*)'" in message
    assert message.endswith("it left loss, seconds")


def test_of_several_metrics_the_pareto_set_is_an_output() -> None:
    metrics = [{"name": "acc"}, {"name": "size", "goal": "minimize"}]
    (step,) = a_search(max=3, parallel=3).steps
    body = {key: value for key, value in step["tune"].items() if key != "metric"} | {
        "metrics": metrics,
        "fixed": {"k": 1},
    }
    play = Play(a_workflow().raw({**step, "tune": body})).turn().chooses({"x": 0.1}, {"x": 0.2}, {"x": 0.3}).turn()
    for number, (acc, size) in enumerate([(0.5, 10), (0.9, 20), (0.4, 30)]):
        play.succeeds(f"t/{number}", acc=acc, size=size)
    (publish,) = play.restarts().turn().asked(Publish)
    first = {"params": {"k": 1, "x": 0.1}, "value": 0.5, "trial": 0, "values": {"acc": 0.5, "size": 10.0}}
    second = {"params": {"k": 1, "x": 0.2}, "value": 0.9, "trial": 1, "values": {"acc": 0.9, "size": 20.0}}
    assert (publish.parameters["best"], publish.parameters["pareto"]) == (second, [first, second])
    assert publish.files["trials"].splitlines()[:2] == [
        b"trial,phase,acc,size,reason,x,k",
        b"0,Succeeded,0.5,10.0,,0.1,1",
    ]


def test_while_it_runs_the_step_tells_the_best_so_far() -> None:
    play = Play(a_search(max=5)).turn().chooses({"x": 0.1}).turn().succeeds("t/0", acc=0.5).turn()
    assert play.task("t").message == "the best so far is 0.5, of trial 0: x=0.1"


def test_more_trials_for_a_search_that_has_ended_run_the_difference_only() -> None:
    play = Play(a_search(max=1)).turn().chooses({"x": 0.1}).turn().succeeds("t/0", acc=0.5).turn().publishes().turn()
    assert play.run.phase is Phase.SUCCEEDED
    play.plan = a_search(max=2).plan()
    play.asks_again().turn()
    assert (play.started, play.task("t/0").phase) == ([], Phase.SUCCEEDED)
    assert asked(play).told == (Told({"x": 0.1}, [0.5]),)
    play.chooses({"x": 0.2}).turn()
    assert play.started == ["t/1"]
    (publish,) = play.succeeds("t/1", acc=0.7).turn().asked(Publish)
    assert (publish.attempt, publish.parameters["best"]["trial"]) == (1, 1)


@pytest.mark.parametrize(
    ("wider", "fields", "started"),
    [
        ({"p": [1, 3, 5, 8, 13]}, {}, {"t/3": {"p": 1}, "t/4": {"p": 13}}),
        ({"p": [1, 3, 5, 8]}, {"enqueue": [{"p": 8}]}, {"t/3": {"p": 1}}),
        ({"p": {"int": {"min": 1, "max": 9, "step": 2}}}, {}, {"t/2": {"p": 1}, "t/3": {"p": 7}, "t/4": {"p": 9}}),
        ({"p": [3, 5, 8]}, {}, {}),
    ],
    ids=["values before and behind", "other starting points", "one that is of it no more", "nothing new"],
)
def test_a_wider_grid_runs_the_difference_only(
    wider: dict[str, Any], fields: dict[str, Any], started: dict[str, Any]
) -> None:
    play = Play(a_workflow().tune("t", {"p": [3, 5, 8]})).turn()
    for number in range(3):
        play.succeeds(f"t/{number}", acc=number / 10)
    play.turn().publishes().turn().restarts()
    assert [play.task(f"t/{number}").params for number in range(3)] == [{"p": 3}, {"p": 5}, {"p": 8}]
    play.plan = with_body(a_workflow().tune("t", wider), **fields).plan()
    play.run = rerun.with_records(play.run, play.results)
    play.asks_again().turn()
    assert {order.task: order.params for order in play.orders} == started
    assert play.is_("t/0", Phase.SUCCEEDED)
    assert play.is_("t/1", Phase.SUCCEEDED)


def test_a_wider_space_runs_the_difference_only_and_knows_what_fits() -> None:
    play = Play(a_search(max=1)).turn().chooses({"x": 0.1}).turn().succeeds("t/0", acc=0.5).turn().publishes().turn()
    (step,) = a_search(max=2).steps
    wide = {**step, "tune": {**step["tune"], "space": {"x": {"float": {"min": -9, "max": 9}}}}}
    play.plan = a_workflow().raw(wide).plan()
    play.asks_again().turn()
    assert (play.started, asked(play).told) == ([], (Told({"x": 0.1}, [0.5]),))
    play.chooses({"x": -7.0}).turn()
    assert play.started == ["t/1"]


def test_a_whole_group_is_a_trial_and_its_output_is_the_metric() -> None:
    steps = [
        {"name": "s", "container": {"image": "i", "command": ["${{ params.x }}"]}, "outputs": {"n": {"type": "number"}}}
    ]
    outputs = {"acc": {"value": "${{ steps.s.outputs.n * 2.0 }}"}}
    play = (
        Play(a_search(max=1, trial={"steps": steps, "outputs": outputs}, trial_outputs=""))
        .turn()
        .chooses({"x": 0.5})
        .turn()
    )
    assert (play.started, play.orders[0].command) == (["t/0.s"], ("0.5",))
    play.succeeds("t/0.s", n=0.25).turn().publishes().turn()
    assert play.asked(Publish)[0].parameters["best"] == {"params": {"x": 0.5}, "value": 0.5, "trial": 0}


@pytest.mark.parametrize(("goal", "most", "field"), [("high", 3, "goal"), ("${{ 1 }}", 3, "goal"), (0.5, 2.5, "max")])
def test_a_budget_that_turns_out_wrong_fails_the_step(goal: object, most: object, field: str) -> None:
    trials = {"goal": "${{ params.goal }}", "max": "${{ params.most }}"}
    play = Play(a_search(trials=trials).param("goal", goal).param("most", most)).turn()
    assert play.is_("t", Phase.FAILED, "ExpressionError")
    assert f"tune.trials.{field}" in play.task("t").message


def pruned(play: Play, task: str, value: float = 0.1) -> Play:
    """A trial's record says that it was pruned."""
    attempt = play.task(task).attempt
    message = f"pruned at step 1, where 'acc' was {value}"
    curve, began = ((1, value),), play.now
    result = Result(143, "Pruned", message, metrics={"acc": value}, curve=curve, started_at=began, finished_at=began)
    play.results[task, attempt] = result
    return play


def said(play: Play, task: str, *values: float, judged: int = 0) -> Play:
    """A trial has said something on the way."""
    play.curves[task, play.task(task).attempt] = Curve(tuple(enumerate(values, 1)), judged)
    return play


MEDIAN = {"median": {}}


def test_what_a_trial_says_on_the_way_is_judged_once_and_by_all_that_is_known() -> None:
    play = Play(with_body(a_search(max=4, parallel=2), pruner=MEDIAN)).turn().chooses({"x": 0.1}, {"x": 0.2}).turn()
    assert play.asked(Judge) == []
    play.runs("t/0").runs("t/1")
    said(play, "t/0", 0.3, 0.4, judged=1)
    (judge,) = said(play, "t/1", 0.5, judged=1).turn().asked(Judge)
    assert (judge.task, judge.asked, judge.attempts) == ("t", {0: 1}, {0: 0})
    assert [told.curve for told in judge.told] == [((1, 0.3), (2, 0.4)), ((1, 0.5),)]
    play.judging = frozenset({"t"})
    assert play.turn().asked(Judge) == []
    play.judging = frozenset()
    assert said(play, "t/0", 0.3, 0.4, judged=2).turn().asked(Judge) == []


def test_a_search_without_a_pruner_judges_nobody() -> None:
    play = Play(a_search()).turn().chooses({"x": 0.1}).turn().runs("t/0")
    assert said(play, "t/0", 0.3).turn().asked(Judge) == []


def test_a_pruned_trial_is_stopped_ends_and_makes_room_for_the_next() -> None:
    builder = with_body(a_search(max=3, parallel=1, retry={"limit": 3}), pruner=MEDIAN)
    play = Play(builder).turn().chooses({"x": 0.1}).turn().runs("t/0")
    pruned(said(play, "t/0", 0.1, judged=1), "t/0").turn()
    assert play.asked(Stop) == [Stop("t/0", 0, play.task("t/0").handle, PRUNED_GRACE)]
    assert play.is_("t/0", Phase.CANCELLED, "Pruned")
    assert asked(play).told == (Told({"x": 0.1}, None, is_pruned=True, curve=((1, 0.1),)),)
    assert play.chooses({"x": 0.2}).turn().started == ["t/1"]
    play.restarts().turn()
    assert (play.stopped, play.is_("t/0", Phase.CANCELLED, "Pruned")) == (["t/0"], True)  # until it is seen to leave
    play.succeeds("t/1", acc=0.5).turn().chooses({"x": 0.3}).turn().runs("t/2")
    (publish,) = pruned(play, "t/2", 0.9).turn().asked(Publish)
    counts = {"trial_count": 3, "failed_count": 0, "pruned_count": 2}
    assert publish.parameters == {"best": {"params": {"x": 0.2}, "value": 0.5, "trial": 1}, **counts}
    assert publish.files["trials"].splitlines()[1:] == [
        b"0,Cancelled,0.1,Pruned,0.1",
        b"1,Succeeded,0.5,,0.2",
        b"2,Cancelled,0.9,Pruned,0.3",
    ]


@pytest.mark.parametrize(
    ("trial", "grace"),
    [
        ({"container": {"image": "i", "command": ["c"], "agent": True}}, None),
        ({"container": {"image": "i", "command": ["c"]}, "terminationGracePeriodSeconds": 20}, None),
        ({"container": {"image": "i", "command": ["c"]}}, PRUNED_GRACE),
    ],
    ids=["an agent keeps the log in its grace", "what somebody wrote is kept to", "else a second is enough"],
)
def test_how_long_a_pruned_trial_has_to_end(trial: dict[str, Any], grace: int | None) -> None:
    play = Play(with_body(a_search(trial=trial), pruner=MEDIAN)).turn().chooses({"x": 0.1}).turn().runs("t/0")
    (stop,) = pruned(play, "t/0").turn().asked(Stop)
    assert stop.grace == grace


def test_the_word_pruned_of_what_is_no_trial_is_a_failure_as_any_other() -> None:
    play = Play(a_workflow().step("a")).turn().runs("a").fails("a", reason="Pruned").turn()
    assert play.is_("a", Phase.FAILED, "Pruned")


def test_a_search_of_which_all_trials_were_pruned_has_no_result() -> None:
    play = Play(with_body(a_search(max=1), pruner=MEDIAN)).turn().chooses({"x": 0.1}).turn().runs("t/0")
    pruned(play, "t/0").turn()
    assert play.is_("t", Phase.FAILED, "NoTrials")


def test_running_a_search_again_leaves_its_pruned_trials_alone() -> None:
    play = Play(with_body(a_search(max=2), pruner=MEDIAN)).turn().chooses({"x": 0.1}).turn().runs("t/0")
    fingerprint = play.task("t/0").fingerprint
    pruned(play, "t/0")
    play.results["t/0", 0] = replace(play.results["t/0", 0], fingerprint=fingerprint)
    play.turn().vanishes("t/0").chooses({"x": 0.2}).turn().succeeds("t/1", acc=0.5).turn().publishes().turn()
    assert play.run.phase is Phase.SUCCEEDED
    play.plan = with_body(a_search(max=3), pruner=MEDIAN).plan()
    play.asks_again().turn()
    assert play.is_("t/0", Phase.CANCELLED, "Pruned")
    assert [told.is_pruned for told in asked(play).told] == [True, False]


def test_of_many_trials_the_status_shows_the_last_that_succeeded_and_none_that_were_pruned() -> None:
    many = abridging.MANY + 1
    builder = with_body(
        a_workflow().tune("t", {"p": list(range(many))}, trials={"max": many, "parallel": many}), pruner=MEDIAN
    )
    play = Play(builder).turn()
    for number in range(many - 2):
        pruned(play.runs(f"t/{number}"), f"t/{number}")
    play.succeeds(f"t/{many - 2}", acc=0.5).runs(f"t/{many - 1}").turn()
    written = status.written(play.plan, play.run, {}, play.now)
    assert [task["name"] for task in written["tasks"]] == [f"t/{many - 2}", f"t/{many - 1}"]
    play.restarts().turn()
    assert sum(task.is_pruned for task in play.run.tasks.values()) == many - 2
    (publish,) = play.succeeds(f"t/{many - 1}", acc=0.7).turn().asked(Publish)
    assert (publish.parameters["trial_count"], publish.parameters["pruned_count"]) == (many, many - 2)

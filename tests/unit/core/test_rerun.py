"""Running steps again: what does, what does not, and what a restart in between makes of it."""

from __future__ import annotations

from mlworkflow.core import rerun, status
from mlworkflow.core.actions import Publish
from mlworkflow.core.observation import Room
from mlworkflow.core.spec_fields import Rerun
from mlworkflow.core.state import Phase

from tests.builders import WorkflowBuilder, a_workflow
from tests.unit.core.play import Play

_CHAIN = (
    a_workflow()
    .param("p", 1)
    .step("a", outputs="o")
    .step("b", inputs="a.o", outputs="o", params={"p": "${{ params.p }}"})
    .step("c", inputs="b.o")
    .step("d")
)


def ended(builder: WorkflowBuilder = _CHAIN, fails: str = "b") -> Play:
    play = Play(builder).turn()
    while not play.run.phase.is_finished:
        under_way = [name for name, task in play.run.tasks.items() if task.phase is Phase.RUNNING]
        for name in under_way:
            if play.plan.nodes[name].is_unit:
                play.fails(name) if name == fails else play.succeeds(name)
        play.turn().publishes().turn()
    return play


def edited(play: Play, builder: WorkflowBuilder) -> Play:
    play.plan = builder.plan()
    return play


def test_what_failed_runs_again_with_what_follows_and_the_rest_keeps_its_results() -> None:
    """kubeflow/pipelines #11329, #11248: a retry says OK, and nothing runs, or the run hangs."""
    play = ended().asks_again().turn()
    assert play.started == ["b#1"]
    assert play.phases == {"a": "Succeeded", "b": "Running", "c": "Pending", "d": "Succeeded"}
    assert play.succeeds("b").turn().started == ["c"]
    assert play.succeeds("c").turn().run.phase is Phase.SUCCEEDED


def test_named_steps_run_again_also_of_a_workflow_that_succeeded() -> None:
    """argo #10250, #12022: from a chosen step, of a workflow that succeeded."""
    play = ended(fails="").asks_again("b").turn()
    assert play.started == ["b#1"]
    play.succeeds("b").turn()
    assert play.started == ["c#1"]


def test_nothing_runs_again_where_nothing_failed_or_changed() -> None:
    play = ended(fails="").asks_again().turn()
    assert play.started == []
    assert play.run.phase is Phase.SUCCEEDED


def test_a_changed_step_runs_again_with_what_follows() -> None:
    play = edited(ended(fails=""), _CHAIN.param("p", 2)).asks_again().turn()
    assert play.started == ["b#1"]
    assert play.orders[0].params == {"p": 2}


def test_more_memory_or_patience_is_no_change() -> None:
    builder = a_workflow().step("a", outputs="o").step("b", inputs="a.o")
    more = {
        "resources": {"limits": {"memory": "4Gi"}},
        "retry": {"limit": 3},
        "timeout": "2h",
        "nodeSelector": {"x": "y"},
    }
    bigger = a_workflow().step("a", outputs="o", **more).step("b", inputs="a.o")
    play = edited(ended(builder), bigger).asks_again().turn()
    assert play.started == ["b#1"]


def test_a_new_step_runs_and_one_that_is_gone_is_forgotten() -> None:
    fewer = WorkflowBuilder("w", _CHAIN.spec, _CHAIN.steps[:3]).step("e")
    play = edited(ended(fails=""), fewer).asks_again().turn()
    assert play.started == ["e"]


def test_an_earlier_attempt_is_no_answer_to_the_request() -> None:
    play = ended(fails="").asks_again("a").turn()
    assert play.started == ["a#1"]
    assert play.turn().task("a").phase is Phase.RUNNING  # the record of attempt 0 is still there
    play.restarts().turn()
    assert play.task("a").phase is Phase.RUNNING


def test_failures_and_losses_count_anew() -> None:
    builder = a_workflow().step("a", retry={"limit": 1, "backoff": "1s"})
    play = Play(builder).turn().fails("a").turn().turn(after=1).fails("a").turn()
    assert play.run.phase is Phase.FAILED
    play.asks_again().turn()
    assert play.started == ["a#2"]
    assert play.fails("a").turn().task("a").phase is Phase.PENDING


def test_a_running_step_that_is_concerned_is_stopped_and_another_goes_on() -> None:
    play = Play(_CHAIN).turn().runs("a").runs("d").asks_again("a").turn()
    assert (play.stopped, play.started) == (["a"], [])
    assert play.vanishes("a", 0).turn().started == ["a#1"]
    assert play.task("d").attempt == 0


def test_the_steps_for_the_end_run_again_too() -> None:
    lists = {"always": [{"name": "bye", "container": {"image": "i", "command": ["x"]}}]}
    play = Play(a_workflow().step("a").having(onExit=lists)).turn().fails("a").turn().succeeds("bye").turn()
    play.asks_again().turn().succeeds("a").turn()
    assert play.started == ["bye#1"]


def test_of_a_fan_out_only_the_items_that_failed_run_again() -> None:
    builder = a_workflow().step("s", outputs="n:number", forEach=["x", "y", "z"])
    play = ended(builder, fails="s/1").asks_again().turn()
    assert play.started == ["s/1#1"]
    assert play.succeeds("s/1", n=1).turn().asked(Publish)[0].attempt == 0


def test_of_a_fan_out_whose_items_were_edited_only_those_that_changed_run_again() -> None:
    def builder(*items: str) -> WorkflowBuilder:
        return a_workflow().step("s", forEach=list(items), params={"p": "${{ item }}"})

    play = edited(ended(builder("x", "y"), fails=""), builder("x", "z", "w")).asks_again().turn()
    assert play.started == ["s/1#1", "s/2"]
    assert play.succeeds("s/1").succeeds("s/2").turn().asked(Publish)[0].attempt == 1


def test_a_group_that_failed_goes_on_and_one_that_succeeded_begins_anew() -> None:
    inner = a_workflow().step("x", outputs="o").step("y", inputs="x.o")
    play = ended(a_workflow().group("g", inner), fails="g.y").asks_again().turn()
    assert play.started == ["g.y#1"]
    play = ended(a_workflow().group("g", inner), fails="").asks_again("g").turn()
    assert play.started == ["g~1.x"]


def test_a_step_that_is_not_there_changes_nothing_and_is_told() -> None:
    play = ended().change(rerun=Rerun(id="1", steps=["zz"]))
    after = rerun.honour(play.plan, play.run, play.now).run
    assert after.phase is Phase.FAILED
    assert after.message == "spec.rerun.steps: there is no step 'zz'; the steps are a, b, c, d"
    assert not rerun.is_asked(play.plan, after)


def test_a_request_is_carried_out_once() -> None:
    play = ended().asks_again(id="x")
    assert not rerun.is_asked(play.plan, play.run)
    again = status.read(status.written(play.plan, play.run, {}, 0.0), play.plan.nodes)
    assert not rerun.is_asked(play.plan, again)
    assert again.tasks["b"].since == 1


def test_named_steps_alone_run_again_although_others_have_failed() -> None:
    builder = a_workflow().step("a").step("b").step("c", after=["a"])
    play = Play(builder).turn().fails("b").succeeds("a").turn().succeeds("c").turn().asks_again("a").turn()
    assert play.started == ["a#1"]
    assert play.task("b").phase is Phase.FAILED


def test_a_skipped_branch_and_what_follows_it_stay_as_they_are_until_the_condition_changes() -> None:
    def builder(*, go: bool) -> WorkflowBuilder:
        skipped = a_workflow().param("go", go).step("x", when="${{ params.go }}").step("y")
        return skipped.step("join", after=["x", "y"], runAfter=["Succeeded", "Skipped"])

    play = ended(builder(go=False), fails="").asks_again().turn()
    assert play.started == []
    assert play.run.phase is Phase.SUCCEEDED
    play = edited(ended(builder(go=False), fails=""), builder(go=True)).asks_again().turn()
    assert play.started == ["x"]
    assert play.succeeds("x").turn().started == ["join#1"]


def test_a_checkpoint_is_of_use_to_what_failed_and_not_to_what_has_changed_or_succeeded() -> None:
    play = ended(_CHAIN.param("p", 1)).asks_again()
    assert play.stale == ()
    assert ended(fails="").asks_again("b").stale == ("b", "c")
    assert edited(ended(), _CHAIN.param("p", 2)).asks_again().stale == ("b",)


def test_a_workflow_that_runs_again_waits_for_its_own_locks_anew() -> None:
    play = ended(a_workflow().having(locks=["bench"]).step("a"), fails="a").asks_again()
    play.room = Room(held={"bench": 1})
    assert play.turn().started == []
    assert play.decision.usage.held == {}
    play.room = Room()
    assert play.turn().started == ["a#1"]
    assert play.decision.usage.held == {"bench": 1}

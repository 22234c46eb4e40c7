"""Groups: a graph inside a step."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.actions import Publish
from mlworkflow.core.errors import SpecError
from mlworkflow.core.state import Phase

from tests.builders import WorkflowBuilder, a_workflow
from tests.unit.core.play import Play

_INNER = a_workflow().step("a", outputs="o n:number").step("b", outputs="p", inputs="a.o")
_OUTPUTS = {"model": "b.p", "score": "${{ steps.a.outputs.n * 2.0 }}"}


def group(**fields: Any) -> WorkflowBuilder:
    return a_workflow().group("g", _INNER, _OUTPUTS, **fields)


def test_the_steps_of_a_group_run_in_their_order_and_it_passes_on_what_they_left() -> None:
    builder = group().step("after", inputs="g.model", params={"s": "${{ steps.g.outputs.score }}"})
    play = Play(builder).turn()
    assert play.started == ["g.a"]
    assert play.succeeds("g.a", n=1.5).turn().started == ["g.b"]
    play.succeeds("g.b").turn()
    (publish,) = play.asked(Publish)
    assert publish.parameters == {"score": 3.0}
    assert publish.reuse == {"model": play.task("g.b").artifacts["p"]}
    play.publishes().turn()
    assert play.started == ["after"]
    assert play.orders[0].params == {"s": 3.0}
    assert play.orders[0].inputs == {"model": play.task("g.b").artifacts["p"]}


def test_a_group_waits_for_what_its_steps_need_and_they_see_it() -> None:
    inner = a_workflow().step("x", params={"n": "${{ steps.before.outputs.n }}"}, inputs={"i": "before.o"})
    play = Play(a_workflow().step("before", outputs="o n:number").group("g", inner)).turn()
    assert play.started == ["before"]
    play.succeeds("before", n=7).turn()
    assert play.started == ["g.x"]
    assert play.orders[0].params == {"n": 7}
    assert play.orders[0].inputs["i"] == play.task("before").artifacts["o"]


def test_a_failure_before_a_group_skips_it_whole() -> None:
    inner = a_workflow().step("x", inputs={"i": "before.o"}).step("y")
    play = Play(a_workflow().step("before", outputs="o").group("g", inner)).turn().fails("before").turn()
    assert play.is_("g", Phase.SKIPPED, "DependencyFailed")
    assert play.started == []


def test_the_parameters_of_a_group_are_those_of_its_steps() -> None:
    inner = a_workflow().step("x", params={"both": "${{ params.lr }} ${{ params.seed }}"})
    builder = (
        a_workflow().having(params={"seed": 7, "lr": 0.1}).group("g", inner, params={"lr": "${{ params.lr * 2.0 }}"})
    )
    assert Play(builder).turn().orders[0].params == {"both": "0.2 7"}


def test_the_fields_of_a_group_are_the_defaults_of_its_steps_but_not_its_own_limits() -> None:
    inner = a_workflow().step("x")
    builder = a_workflow().group(
        "g", inner, env=[{"name": "E", "value": "1"}], nodeSelector={"gpu": "yes"}, retry={"limit": 5}, timeout="1h"
    )
    (order,) = Play(builder).turn().orders
    assert order.env == ({"name": "E", "value": "1"},)
    assert order.step.common.node_selector == {"gpu": "yes"}
    assert (order.step.retry.limit, order.step.timeout) == (0, None)


def test_the_retries_of_the_defaults_are_for_steps_and_not_for_groups() -> None:
    plan = a_workflow().having(defaults={"retry": {"limit": 3}}).group("g", a_workflow().step("x")).plan()
    assert plan.nodes["g.x"].step.retry.limit == 3
    assert plan.nodes["g"].step.retry.limit == 0


def test_a_failure_inside_fails_the_group_with_its_cause() -> None:
    play = Play(group()).turn().fails("g.a", "OOMKilled", "out of memory\nlast line").turn()
    assert play.is_("g", Phase.FAILED, "StepFailed")
    assert play.task("g").message == "step 'a' failed: OOMKilled: out of memory"
    assert play.is_("g.b", Phase.SKIPPED, "DependencyFailed")
    assert play.run.message == "step 'g' failed: StepFailed: step 'a' failed: OOMKilled: out of memory"


def test_a_group_that_is_tried_again_runs_all_its_steps_again_as_new_tasks() -> None:
    play = Play(group(retry={"limit": 1, "backoff": "5s"})).turn().succeeds("g.a", n=1).turn().fails("g.b").turn()
    assert play.is_("g", Phase.PENDING, "StepFailed")
    assert play.wake_at == play.now + 5
    assert play.turn(after=5).started == ["g~1.a"]
    play.succeeds("g~1.a", n=2.0).turn().succeeds("g~1.b").turn()
    assert play.asked(Publish)[0].attempt == 1
    assert play.asked(Publish)[0].parameters == {"score": 4.0}
    assert play.publishes().turn().run.phase is Phase.SUCCEEDED


def test_the_timeout_of_a_group_ends_all_that_is_in_it() -> None:
    play = Play(group(timeout="10s")).turn().runs("g.a").turn(after=10)
    assert play.stopped == ["g.a"]
    assert play.is_("g", Phase.FAILED, "DeadlineExceeded")
    assert play.is_("g.a", Phase.CANCELLED, "DeadlineExceeded")


def test_a_group_per_item_passes_on_lists() -> None:
    builder = a_workflow().group("g", _INNER, _OUTPUTS, forEach={"range": 2}, params={"fold": "${{ item }}"})
    play = Play(builder).turn()
    assert play.started == ["g/0.a", "g/1.a"]
    for index in (0, 1):
        play.succeeds(f"g/{index}.a", n=float(index)).turn().succeeds(f"g/{index}.b").turn().publishes().turn()
    (publish,) = play.asked(Publish)
    assert publish.task == "g"
    assert publish.parameters == {"score": [0.0, 2.0]}


def test_the_items_of_an_outer_fan_out_reach_the_innermost_step() -> None:
    leaf = a_workflow().step("x", params={"p": "${{ params.outer }}/${{ item }}"}, forEach=["u", "v"])
    builder = a_workflow().group("g", leaf, forEach=["a", "b"], params={"outer": "${{ item }}"})
    play = Play(builder).turn()
    assert [order.params["p"] for order in play.orders] == ["a/u", "a/v", "b/u", "b/v"]
    assert play.started == ["g/0.x/0", "g/0.x/1", "g/1.x/0", "g/1.x/1"]


def test_a_whole_group_may_be_a_trial() -> None:
    trial = {
        "steps": [
            {"name": "fit", "container": {"image": "i", "command": ["${{ trial.params.p }}"]}, "outputs": {"m": {}}},
            {
                "name": "score",
                "container": {"image": "i", "command": ["${{ params.p }}"]},
                "inputs": {"m": {"from": "fit.m"}},
                "outputs": {"acc": {"type": "number"}},
            },
        ],
        "outputs": {"model": {"from": "fit.m"}, "acc": {"value": "${{ steps.score.outputs.acc }}"}},
    }
    play = Play(a_workflow().tune("t", {"p": [1, 2]}, trial=trial)).turn()
    assert play.started == ["t/0.fit", "t/1.fit"]
    assert [order.command for order in play.orders] == [("1",), ("2",)]
    for number in (0, 1):
        play.succeeds(f"t/{number}.fit").turn()
        assert play.orders[0].command == (str(number + 1),)
        play.succeeds(f"t/{number}.score", acc=0.5 + number / 10).turn().publishes().turn()
    (publish,) = play.asked(Publish)
    assert publish.parameters["best"] == {"params": {"p": 2}, "value": 0.6, "trial": 1}
    assert publish.reuse["model"] == play.task("t/1.fit").artifacts["m"]


def test_groups_may_be_nested_as_deep_as_is_sensible() -> None:
    builder = a_workflow().step("leaf")
    for depth in range(8):
        builder = a_workflow().group(f"g-{depth}", builder)
    assert Play(builder).turn().started == ["g-7.g-6.g-5.g-4.g-3.g-2.g-1.g-0.leaf"]
    with pytest.raises(SpecError, match="nested more than 8 deep"):
        a_workflow().group("too-deep", builder).plan()


@pytest.mark.parametrize(
    ("builder", "path", "words"),
    [
        (a_workflow().group("g", _INNER, {"x": "a.q"}), "spec.steps[0].outputs.x.from", "no artifact 'q'; it has o"),
        (a_workflow().group("g", _INNER, {"x": "z.o"}), "spec.steps[0].outputs.x.from", "there is no step 'z'"),
        (
            a_workflow().group("g", _INNER, {"x": "${{ steps.a.outputs.z }}"}),
            "spec.steps[0].outputs.x.value",
            "no output parameter 'z'",
        ),
        (
            a_workflow().group("g", _INNER).step("t", inputs={"x": "a.o"}),
            "spec.steps[1].inputs.x.from",
            "there is no step 'a'",
        ),
        (
            a_workflow().step("a").group("g", _INNER),
            "spec.steps[1].steps",
            "'a' is the name of a step around the group too",
        ),
        (
            a_workflow().step("x").group("g", a_workflow().step("y", after=["x"])),
            "spec.steps[1].steps[0].after[0]",
            "let the group itself come after it",
        ),
        (group(inputs={"x": {"from": "a.o"}}), "spec.steps[0].inputs", "a group has none of its own"),
        (
            a_workflow().raw({"name": "g", "steps": [{"name": "a", "container": {}}], "outputs": {"x": {}}}),
            "spec.steps[0].outputs.x",
            "needs `from` (an artifact) or `value`",
        ),
        (a_workflow().step("a", outputs={"x": {"value": 1}}), "spec.steps[0].outputs.x", "for the outputs of a group"),
        (a_workflow().group("g", a_workflow().step("x", bad=1)), "spec.steps[0].steps[0]", "unknown field `bad`"),
        (
            a_workflow().group("g", a_workflow().step("x", after=["y"]).step("y", after=["x"])),
            "spec.steps",
            "in a circle",
        ),
        (
            a_workflow()
            .step("s", inputs={"i": "g.model"}, outputs="o")
            .group("g", a_workflow().step("x", inputs={"i": "s.o"}, outputs="m"), {"model": "x.m"}),
            "spec.steps",
            "in a circle",
        ),
    ],
)
def test_mistakes_name_the_field_inside(builder: WorkflowBuilder, path: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        builder.plan()
    found = {problem.path: problem.message for problem in caught.value.problems}
    assert words in found[path]


def test_a_restart_inside_a_group_goes_on_where_it_was() -> None:
    play = Play(group(retry={"limit": 1, "backoff": "1s"})).turn().fails("g.a").turn().turn(after=1)
    assert play.started == ["g~1.a"]
    play.runs("g~1.a").restarts().turn()
    assert (play.started, play.stopped) == ([], [])
    assert play.succeeds("g~1.a", n=1).turn().started == ["g~1.b"]

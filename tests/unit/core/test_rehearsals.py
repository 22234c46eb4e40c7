"""`canServe: {image: …}`: the step that it stands for, and what the gate has of it."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.errors import SpecError

from tests.builders import WorkflowBuilder, a_workflow

from .play import Play

SERVED = {"canServe": {"image": "serving:1.4"}}


def judged(name: str = "judge", **fields: Any) -> WorkflowBuilder:
    made = a_workflow().step("make", outputs="model test")
    return made.kind(name, "evaluate", SERVED, inputs={"model": "make.model", "test": "make.test"}, **fields)


def test_an_image_is_asked_by_a_step_before_and_the_gate_has_its_verdict() -> None:
    play = Play(judged()).turn().succeeds("make").turn()
    (order,) = play.orders
    assert (order.step.name, order.step.kind.name, order.step.common.image) == (
        "judge-serving",
        "rehearse",
        "serving:1.4",
    )
    assert (list(order.inputs), order.step.body) == (["model"], {"level": "warn"})
    play.succeeds("judge-serving").turn()
    (order,) = play.orders
    assert (order.step.name, set(order.inputs)) == ("judge", {"model", "test", "serving"})
    assert order.inputs["serving"].digest == "sha256:judge-serving.verdict"


def test_an_image_that_cannot_be_had_is_told_by_the_field_that_names_it() -> None:
    play = Play(judged()).turn().succeeds("make").turn()
    play.fails("judge-serving", "ImagePullBackOff", "no such image").turn()
    assert play.task("judge-serving").message == "spec.steps[1].evaluate.canServe: no such image"
    assert play.run.phase.value == "Failed"


def test_it_is_asked_where_and_when_the_step_is() -> None:
    workflow = judged(when="${{ 1 > 2 }}", after=["make"]).parsed()
    asked, judge = workflow.steps["judge-serving"], workflow.steps["judge"]
    assert (asked.when, asked.after, asked.common.resources) == (judge.when, judge.after, judge.common.resources)
    assert list(workflow.steps) == ["make", "judge-serving", "judge"]
    own = a_workflow().step("make", outputs="model test").kind("judge", "evaluate", {"canServe": True}, inputs={"model": "make.model", "test": "make.test"})  # fmt: skip
    assert list(own.parsed().steps) == ["make", "judge"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"forEach": [1, 2]}, "a step with forEach is many models: write a `rehearse` step with forEach before it"),
        ({"name": "j" * 60}, f"stands for a step '{'j' * 60}-serving', which is longer than 63 characters: shorten the step's name"),
    ],
)  # fmt: skip
def test_what_it_cannot_stand_for_is_named(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as error:
        judged(**fields).parsed()
    assert [str(problem) for problem in error.value.problems] == [f"spec.steps[1].evaluate.canServe: {said}"]

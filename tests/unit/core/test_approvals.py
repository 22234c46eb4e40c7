"""Steps that wait for a person."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.actions import Publish
from mlworkflow.core.errors import SpecError
from mlworkflow.core.spec_fields import Approval
from mlworkflow.core.state import Phase

from tests.builders import WorkflowBuilder, a_workflow
from tests.unit.core.play import Play

_QUESTIONS = {"share": {"type": "number", "default": 0.1}, "stage": {"enum": ["test", "live"]}}


def asking(**fields: Any) -> WorkflowBuilder:
    body = {"message": "accuracy ${{ steps.a.outputs.n }}: ship it?", "inputs": _QUESTIONS}
    builder = a_workflow().step("a", outputs="n:number").kind("ok", "approve", body, **fields)
    return builder.step("ship", params={"p": "${{ steps.ok.outputs.stage }} ${{ steps.ok.outputs.by }}"})


def asked(**fields: Any) -> Play:
    return Play(asking(**fields)).turn().succeeds("a", n=0.97).turn()


def answered(play: Play, approved: bool = True, **fields: Any) -> Play:
    return play.change(approvals={"ok": Approval(approved=approved, by="ada", **fields)}).turn()


def test_it_asks_and_waits_without_a_pod() -> None:
    play = asked()
    assert (play.started, play.task("ok").phase) == ([], Phase.RUNNING)
    assert play.task("ok").message == "waits for approval: accuracy 0.97: ship it?"
    assert play.run.message == "step 'ok' waits for approval"
    assert play.turn(after=100_000).actions == ()


def test_a_yes_is_a_result_with_who_said_it_and_what_they_supplied() -> None:
    play = answered(asked(), inputs={"stage": "live"}, comment="go")
    (publish,) = play.asked(Publish)
    assert publish.parameters == {"share": 0.1, "stage": "live", "approved": True, "by": "ada", "comment": "go"}
    assert play.publishes().turn().orders[0].params == {"p": "live ada"}


def test_a_no_is_a_failure_that_is_not_tried_again() -> None:
    play = answered(asked(retry={"limit": 3}), approved=False, comment="too early")
    assert play.is_("ok", Phase.FAILED, "Rejected")
    assert play.task("ok").message == "rejected by ada: too early"
    assert play.is_("ship", Phase.SKIPPED, "DependencyFailed")


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "'stage' is missing"),
        ({"stage": "prod"}, "'stage' is none of 'test', 'live'"),
        ({"stage": "live", "share": "much"}, "'share' is not of type number"),
        ({"stage": "live", "other": 1}, "'other' is not asked for"),
    ],
)
def test_an_answer_that_does_not_fit_says_why_and_the_step_waits_on(inputs: dict[str, Any], words: str) -> None:
    play = answered(asked(), inputs=inputs)
    assert play.task("ok").phase is Phase.RUNNING
    assert words in play.task("ok").message
    assert "of ada does not fit" in play.task("ok").message
    assert answered(play, inputs={"stage": "test"}).asked(Publish)


def test_an_answer_given_before_it_is_asked_counts_when_it_is() -> None:
    play = Play(asking()).change(approvals={"ok": Approval(approved=True, by="ada", inputs={"stage": "test"})}).turn()
    assert play.started == ["a"]
    assert play.succeeds("a", n=1.0).turn().asked(Publish)


def test_it_has_a_time_limit() -> None:
    assert asked(timeout="1h").turn(after=3600).is_("ok", Phase.FAILED, "DeadlineExceeded")


def test_a_step_that_runs_again_asks_again() -> None:
    play = answered(asked(), inputs={"stage": "live"}).publishes().turn().fails("ship").turn().asks_again("ok").turn()
    assert play.task("ok").message.startswith("waits for approval")
    answered(play, inputs={"stage": "live"})
    assert not play.asked(Publish)
    assert answered(play, inputs={"stage": "live"}, attempt=1).asked(Publish)[0].attempt == 1


def test_an_approval_per_item() -> None:
    play = Play(a_workflow().kind("ok", "approve", {"message": "${{ item }}?"}, forEach=["x", "y"])).turn()
    assert play.task("ok/1").message == "waits for approval: y?"
    yes = Approval(approved=True, by="ada")
    play.change(approvals={"ok/0": yes, "ok/1": yes}).turn().publishes().turn()
    assert play.asked(Publish)[0].parameters["by"] == ["ada", "ada"]


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        ({"inputs": {"x": {"type": "int"}}}, "spec.steps[0].approve.inputs[...].type", "Invalid enum"),
        (
            {"inputs": {"x": {"type": "number", "default": "a"}}},
            "spec.steps[0].approve.inputs.x.default",
            "not of type",
        ),
        ({"inputs": {"by": {}}}, "spec.steps[0].approve.inputs.by", "leaves an output of this name itself"),
    ],
)
def test_mistakes_are_found(body: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        a_workflow().kind("ok", "approve", body).plan()
    assert words in {problem.path: problem.message for problem in caught.value.problems}[path]

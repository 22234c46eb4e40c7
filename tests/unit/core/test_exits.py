"""The steps for the end: once, whatever the end is, with what is known of it."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.errors import SpecError
from mlworkflow.core.state import Phase

from tests.builders import WorkflowBuilder, a_workflow
from tests.unit.core.play import Play


def step(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "container": {"image": "i", "command": ["${{ workflow.phase }}"]}, **fields}


def ending(builder: WorkflowBuilder | None = None, **fields: Any) -> WorkflowBuilder:
    lists = {"always": [step("bye")], "succeeded": [step("cheer")], "failed": [step("alarm")], **fields}
    return (builder or a_workflow().step("a", outputs="n:number")).having(onExit=lists)


@pytest.mark.parametrize(
    ("end", "started", "command"),
    [("Succeeded", ["bye", "cheer"], ("Succeeded",)), ("Failed", ["bye", "alarm"], ("Failed",))],
)
def test_they_run_as_the_end_concerns_them(end: str, started: list[str], command: tuple[str, ...]) -> None:
    play = Play(ending()).turn()
    play = (play.succeeds("a", n=1) if end == "Succeeded" else play.fails("a")).turn()
    assert play.started == started
    assert [order.command for order in play.orders] == [command, command]
    assert play.run.phase is Phase.RUNNING
    assert play.run.message.startswith(f"{end}")
    play.succeeds(started[0]).turn()
    assert play.run.phase is Phase.RUNNING
    play.succeeds(started[1]).turn()
    assert play.run.phase is Phase(end)
    assert play.is_("alarm" if end == "Succeeded" else "cheer", Phase.SKIPPED, "NotConcerned")


def test_they_see_the_first_cause_and_every_phase() -> None:
    seen = "${{ workflow.message }} | ${{ workflow.reason }} | ${{ steps.a.phase }} ${{ steps.b.phase }}"
    builder = a_workflow().step("a").step("b", after=["a"])
    play = Play(ending(builder, always=[step("bye", params={"p": seen})])).turn()
    play.fails("a", "OOMKilled", "out of memory").turn()
    assert play.orders[0].params["p"] == "step 'a' failed: OOMKilled: out of memory | StepFailed | Failed Skipped"


def test_they_run_after_a_cancel_once_what_was_stopped_has_ended() -> None:
    play = Play(ending()).turn().runs("a").change(cancel=True).turn()
    assert (play.started, play.stopped) == ([], ["a"])
    assert play.run.phase is Phase.RUNNING
    play._see("a", None, leaving=True).turn()
    assert play.started == []
    play.vanishes("a").turn()
    assert play.started == ["bye", "alarm"]
    assert play.orders[0].command == ("Cancelled",)
    assert play.succeeds("bye").succeeds("alarm").turn().run.phase is Phase.CANCELLED


def test_a_pod_that_never_ends_holds_them_up_no_longer_than_its_grace_and_a_little() -> None:
    builder = a_workflow().step("a", terminationGracePeriodSeconds=20)
    play = Play(ending(builder)).turn().runs("a").change(cancel=True).turn()
    play._see("a", None, leaving=True).turn(after=49)
    assert play.started == []
    assert play.wake_at == play.now + 1
    assert play.turn(after=1).started == ["bye", "alarm"]


def test_they_run_after_a_deadline() -> None:
    play = (
        Play(ending(a_workflow().having(timeout="1m").step("a"))).turn().runs("a").turn(after=60).vanishes("a").turn()
    )
    assert play.started == ["bye", "alarm"]
    play.succeeds("bye").succeeds("alarm").turn()
    assert (play.run.phase, play.run.reason) == (Phase.FAILED, "DeadlineExceeded")


def test_they_run_although_the_workflow_is_suspended_or_cancelled_meanwhile() -> None:
    play = Play(ending()).turn().succeeds("a", n=1).change(suspend=True).turn()
    assert play.started == ["bye", "cheer"]
    play.change(cancel=True).succeeds("bye").succeeds("cheer").turn()
    assert play.run.phase is Phase.SUCCEEDED


def test_they_have_a_time_of_their_own() -> None:
    play = Play(ending(timeout="10s")).turn().succeeds("a", n=1).turn().runs("bye").runs("cheer").turn(after=10)
    assert play.stopped == ["bye", "cheer"]
    assert (play.run.phase, play.run.reason) == (Phase.FAILED, "ExitStepFailed")
    assert "ran longer than their timeout" in play.run.message


@pytest.mark.parametrize(("allowed", "phase"), [(False, Phase.FAILED), (True, Phase.SUCCEEDED)])
def test_a_failure_of_theirs_fails_a_success(allowed: bool, phase: Phase) -> None:
    play = Play(ending(always=[step("bye", allowFailure=allowed)], succeeded=[])).turn().succeeds("a", n=1).turn()
    assert play.fails("bye").turn().run.phase is phase


def test_a_failure_of_theirs_is_told_beside_the_first_cause() -> None:
    play = Play(ending(failed=[])).turn().fails("a").turn().fails("bye").turn()
    assert play.run.message == "step 'a' failed: Error: exit code 1; step 'bye' failed: Error: exit code 1"
    assert play.run.reason == "StepFailed"


def test_they_run_once_after_a_retry_that_succeeds() -> None:
    """argo #11884: an exit handler that ran after the first attempt's failure already."""
    builder = a_workflow().step("a", retry={"limit": 1, "backoff": "1s"})
    play = Play(ending(builder)).turn().fails("a").turn()
    assert play.started == []
    play.turn(after=1)
    assert play.started == ["a#1"]
    assert play.succeeds("a").turn().started == ["bye", "cheer"]


def test_a_restart_while_they_run_starts_none_again_and_keeps_the_end() -> None:
    play = Play(ending()).turn().fails("a").turn().runs("bye").runs("alarm").restarts().turn()
    assert play.started == []
    assert play.succeeds("bye").succeeds("alarm").restarts().turn().run.phase is Phase.FAILED
    assert play.run.message == "step 'a' failed: Error: exit code 1"


def test_they_may_depend_on_each_other_and_on_what_the_workflow_left() -> None:
    lists = {
        "always": [step("pack", outputs={"z": {}}), step("send", inputs={"z": {"from": "pack.z"}})],
        "succeeded": [step("note", params={"n": "${{ steps.a.outputs.n }}"})],
        "failed": [step("save", inputs={"o": {"from": "b.o", "optional": True}}, after=["a"], runAfter=["Failed"])],
    }
    builder = a_workflow().step("a", outputs="n:number").step("b", outputs="o")
    play = Play(builder.having(onExit=lists)).turn().fails("a").succeeds("b").turn()
    assert play.started == ["pack", "save"]
    assert play.orders[1].inputs == {"o": play.task("b").artifacts["o"]}
    assert play.succeeds("pack").turn().started == ["send"]


def test_they_may_be_fan_outs_and_groups() -> None:
    """kubeflow/pipelines #12390: a loop inside an exit handler fails, and nothing says why."""
    inner = {"name": "pack", "steps": [step("zip", outputs={"z": {}})], "outputs": {"z": {"from": "zip.z"}}}
    lists = {"always": [{**inner, "forEach": ["x", "y"]}, step("send", inputs={"all": {"from": "pack.z"}})]}
    play = Play(a_workflow().step("a").having(onExit=lists)).turn().fails("a").turn()
    assert play.started == ["pack/0.zip", "pack/1.zip"]
    assert play.orders[0].command == ("Failed",)
    play.succeeds("pack/0.zip").succeeds("pack/1.zip").turn().publishes().turn().publishes().turn()
    assert play.started == ["send"]
    assert play.orders[0].inputs["all"].type == "collection"
    assert play.succeeds("send").turn().run.phase is Phase.FAILED


@pytest.mark.parametrize(
    ("builder", "path", "words"),
    [
        (ending(always=[step("a")]), "spec.onExit.always", "'a' is the name of a step in spec.steps too"),
        (ending(always=[{"name": "x"}]), "spec.onExit.always[0]", "exactly one of"),
        (ending(always=[step("x", params={"p": "${{ steps.z.phase }}"})]), "spec.onExit.always[0].params.p", "no step 'z'"),
        (
            a_workflow().step("a", params={"p": "${{ workflow.phase }}"}),
            "spec.steps[0].params.p",
            "known in the steps of onExit only",
        ),
        (a_workflow().step("a", after=["bye"]).having(onExit={"always": [step("bye")]}), "spec.steps[0].after[0]", "no step"),
    ],
)  # fmt: skip
def test_mistakes_are_found(builder: WorkflowBuilder, path: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        builder.plan()
    assert words in {problem.path: problem.message for problem in caught.value.problems}[path]

"""What must always hold (design, section 4), in worlds where anything can happen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from mlworkflow.core import abridging
from mlworkflow.core.state import Phase

from tests.unit.core.cases import cases
from tests.unit.core.profiles import examples
from tests.unit.core.world import Case, World, outcome

tapes = st.binary(min_size=80, max_size=240)


def _told(world: World) -> World:
    note(world.story(f"{world.case}"))
    return world


@examples(600)
@given(cases(), tapes)
def test_whatever_is_killed_the_end_is_the_same(case: Case, tape: bytes) -> None:
    calm = World(case)
    calm.play()
    world = World(case, tape)
    world.play()
    assert dict(outcome(world)) == dict(outcome(_told(world) and calm))


@examples(300)
@given(cases(), tapes)
def test_whatever_a_status_leaves_out_the_end_is_the_same(case: Case, tape: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(abridging, "MANY", 0)
        patch.setattr(abridging, "MOST", dict.fromkeys(abridging.MOST, 1))
        calm = World(case)
        calm.play()
        world = World(case, tape)
        world.play()
        assert dict(outcome(world)) == dict(outcome(_told(world) and calm))


@examples(600)
@given(cases(timed=True, racing=True), tapes)
def test_a_workflow_with_a_timeout_ends_whatever_is_killed(case: Case, tape: bytes) -> None:
    world = World(case, tape)
    assert _told(world).play().phase in (Phase.SUCCEEDED, Phase.FAILED)


@examples(600)
@given(cases(racing=True), tapes)
def test_a_workflow_that_is_cancelled_ends_whatever_is_killed(case: Case, tape: bytes) -> None:
    world = World(case, tape, may_cancel=True)
    run = world.play()
    assert all(task.is_finished for task in run.tasks.values()), world.story("a task has not ended")
    assert run.phase is Phase.CANCELLED or not world.workflow.cancel or run.phase.is_finished


@examples(120)
@given(cases(sharing=True), tapes)
def test_whatever_is_killed_the_end_is_the_same_where_trials_share_pods(case: Case, tape: bytes) -> None:
    calm = World(case)
    calm.play()
    world = World(case, tape)
    world.play()
    assert dict(outcome(world)) == dict(outcome(_told(world) and calm))


@examples(60)
@given(cases(sharing=True, racing=True), tapes)
def test_a_workflow_whose_trials_share_pods_can_be_cancelled_whatever_is_killed(case: Case, tape: bytes) -> None:
    world = World(case, tape, may_cancel=True)
    run = world.play()
    assert all(task.is_finished for task in run.tasks.values()), world.story("a task has not ended")


@examples(60)
@given(cases(sharing=True))
def test_trials_that_share_pods_end_as_they_do_by_themselves(case: Case) -> None:
    steps = [_alone(step) for step in case.resource["spec"]["steps"]]
    alone = World(replace(case, resource={**case.resource, "spec": {**case.resource["spec"], "steps": steps}}))
    alone.play()
    world = World(case)
    world.play()
    assert dict(outcome(world)) == dict(outcome(_told(world) and alone))


def _alone(step: dict[str, Any]) -> dict[str, Any]:
    if "tune" not in step:
        return step
    trials = {name: value for name, value in step["tune"]["trials"].items() if name != "perPod"}
    return {**step, "tune": {**step["tune"], "trials": trials}}

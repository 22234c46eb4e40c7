"""What a search leaves of its trials, and the step that `report: true` stands for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mlworkflow.core import history
from mlworkflow.core.actions import Publish
from mlworkflow.core.errors import SpecError
from mlworkflow.core.state import Phase, Task
from mlworkflow.core.study import study_of

from tests.builders import WorkflowBuilder, a_workflow

from .play import Play


def a_search(name: str = "t", **fields: Any) -> WorkflowBuilder:
    (step,) = a_workflow().tune(name, {"p": [3, 5, 8]}, trials={"parallel": 1, "maxFailed": 1}, **fields).steps
    return a_workflow().raw({**step, "tune": {**step["tune"], "report": True}})


def ended(builder: WorkflowBuilder) -> Play:
    play = (
        Play(builder)
        .turn()
        .runs("t/0")
        .turn(2.5)
        .succeeds("t/0", acc=0.25)
        .turn(1)
        .fails("t/1", "OOMKilled", "too large")
    )
    return play.turn(1).succeeds("t/2", acc=0.75).turn()


def test_all_that_is_known_of_the_trials_is_one_document() -> None:
    (publish,) = ended(a_search()).asked(Publish)
    study = json.loads(publish.files["study"])
    assert (study["best"], study["objectives"], study["algorithm"]) == (
        2,
        [{"name": "acc", "goal": "maximize"}],
        {"grid": {}},
    )
    assert (study["workflow"], study["step"], study["space"]) == ("w", "t", {"p": {"choice": [3, 5, 8]}})
    first, second, third = study["trials"]
    assert (first["seconds"], first["values"], first["params"]) == (2.5, {"acc": 0.25}, {"p": 3})
    assert first["artifacts"] == {"model": "sha256:t/0.model"}
    assert (second["phase"], second["reason"], second["message"], second["values"]) == (
        "Failed",
        "OOMKilled",
        "too large",
        {},
    )
    assert third["started"] > first["started"]


def test_of_what_a_trial_said_on_the_way_the_document_has_a_part_with_the_last() -> None:
    study = a_search().parsed().steps["t"]
    values = tuple((step, step / 10) for step in range(1001))
    tried = [history.Tried(0, Task(phase=Phase.SUCCEEDED), {"p": 3}, {"acc": 1.0}, values)]
    search = history.Search("w", "t", 0.0, 1.0, "", 0, ())
    (trial,) = json.loads(history.document(study_of(study, {"params": {}}), tried, search))["trials"]
    assert (len(trial["curve"]) <= history.POINTS, trial["curve"][-1]) == (True, [1000, 100.0])


def test_a_report_is_a_step_that_follows_and_whose_failure_fails_nothing() -> None:
    play = ended(a_search()).publishes().turn()
    assert play.started == ["t-report"]
    (order,) = play.orders
    assert (order.step.kind.name, order.command[-1], list(order.inputs)) == ("study", "study", ["study"])
    play.fails("t-report", message="no room").turn()
    assert play.run.phase is Phase.SUCCEEDED
    assert play.task("t-report").message == "spec.steps[0].tune.report: no room"


def test_without_a_report_no_pod_follows_and_no_run_leaves_other_bytes() -> None:
    builder = a_workflow().tune("t", {"p": [1]})
    assert list(builder.plan().workflow.steps) == ["t"]
    (publish,) = Play(builder).turn().succeeds("t/0", acc=1).turn().asked(Publish)
    assert list(publish.files) == ["trials"]
    with pytest.raises(SpecError, match="'t' has no artifact 'study'"):
        builder.step("look", inputs="t.study").plan()


def test_a_later_step_takes_the_table() -> None:
    play = ended(a_search().step("look", inputs="t-report.table")).publishes().turn().succeeds("t-report").turn()
    assert play.started == ["look"]


def test_it_follows_a_search_in_a_group_too() -> None:
    plan = a_workflow().group("g", a_search().step("after", after=["t"])).plan()
    assert list(plan.workflow.steps["g"].steps) == ["t", "t-report", "after"]


@pytest.mark.parametrize(
    ("builder", "words"),
    [
        (a_search().step("t-report"), "stands for a step 't-report', and there is one of this name"),
        (a_search("t" * 60), "longer than 63 characters: shorten the step's name"),
        (a_search(forEach=[1, 2]), "a step with forEach is many searches: a report is of one"),
    ],
    ids=["the name is taken", "the name is too long", "many studies"],
)
def test_what_is_in_its_way_is_told_before_anything_runs(builder: WorkflowBuilder, words: str) -> None:
    with pytest.raises(SpecError) as error:
        builder.plan()
    (problem,) = error.value.problems
    assert str(problem).startswith("spec.steps[0].tune.report: ")
    assert words in str(problem)

"""The status: what is written can be read again, and says what a person needs."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core import status
from mlworkflow.core.errors import Problem
from mlworkflow.core.state import Phase, Run, Task
from msgspec import json

from tests.builders import WorkflowBuilder, a_workflow, artifact

PLAN = a_workflow().meta(generation=3).step("a", outputs="o n:number").tune("t", {"p": [1, 2]}, after=["a"]).plan()
RUN = Run(
    Phase.RUNNING,
    "Running",
    "waits for the store",
    1000.5,
    None,
    {
        "a": Task(
            Phase.SUCCEEDED,
            attempt=2,
            failures=1,
            losses=1,
            started_at=1001.25,
            finished_at=1002.0,
            handle="pod-a",
            parameters={"n": 1.5},
            artifacts={"o": artifact("o", 7, "directory")},
        ),
        "t": Task(Phase.RUNNING, attempt=0, started_at=1003.0),
        "t/0": Task(
            Phase.SUCCEEDED, attempt=0, started_at=1003.0, finished_at=1004.0, handle="pod-0", metrics={"acc": 0.25}
        ),
        "t/1": Task(
            Phase.PENDING,
            "Error",
            "exit code 1\nlast line",
            attempt=0,
            failures=1,
            not_before=1014.125,
            started_at=1003.0,
            handle="pod-1",
        ),
    },
)


def written(run: Run = RUN, before: dict[str, Any] | None = None, now: float = 2000.0) -> dict[str, Any]:
    return status.written(PLAN, run, before or {}, now)


def condition(written: dict[str, Any], type_: str) -> dict[str, Any]:
    return next(condition for condition in written["conditions"] if condition["type"] == type_)


def test_what_is_written_is_read_again() -> None:
    assert status.read(json.decode(json.encode(written())), PLAN.nodes) == RUN


def test_what_is_read_is_written_again() -> None:
    assert written(status.read(written(), PLAN.nodes)) == written()


def test_nothing_reads_as_a_run_that_has_not_begun() -> None:
    assert status.read({}, PLAN.nodes) == Run()


def test_unknown_fields_and_steps_that_are_gone_are_ignored() -> None:
    newer = {
        **written(),
        "novelty": 1,
        "steps": [*({**step, "novelty": {}} for step in written()["steps"]), {"name": "gone", "phase": "Running"}],
    }
    assert status.read(newer, PLAN.nodes) == RUN


def test_a_status_says_what_a_person_asks() -> None:
    text = written()
    assert (text["phase"], text["progress"], text["observedGeneration"], text["startedAt"]) == (
        "Running",
        "1/2",
        3,
        "1970-01-01T00:16:40.500Z",
    )
    assert [step["name"] for step in text["steps"]] == ["a", "t"]
    assert text["steps"][0]["attempts"] == 3
    assert text["steps"][1]["progress"] == "1/2"
    assert [(task["name"], task.get("value")) for task in text["tasks"]] == [("t/0", 0.25), ("t/1", None)]


@pytest.mark.parametrize("value", ["high", True, None, [1], float("nan"), float("inf")])
def test_a_trial_whose_metric_is_no_number_leaves_a_status_that_can_be_read(value: object) -> None:
    run = Run(
        Phase.RUNNING,
        tasks={"t": Task(Phase.RUNNING, attempt=0), "t/0": Task(Phase.SUCCEEDED, attempt=0, parameters={"acc": value})},
    )
    again = status.read(json.decode(json.encode(written(run))), PLAN.nodes)
    assert again.tasks["t/0"].phase is Phase.SUCCEEDED
    assert again.tasks["t/0"].metrics == {}


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    first = written(now=2000.0)
    later = written(before=first, now=3000.0)
    assert condition(later, "Succeeded")["lastTransitionTime"] == condition(first, "Succeeded")["lastTransitionTime"]
    ended = written(Run(Phase.SUCCEEDED, "Succeeded", "", 1000.0, 1090.0, RUN.tasks), before=later, now=4000.0)
    assert condition(ended, "Succeeded")["lastTransitionTime"] == status.stamp(4000.0)
    assert condition(ended, "Valid")["lastTransitionTime"] == status.stamp(2000.0)
    assert (condition(ended, "Succeeded")["status"], ended["duration"]) == ("True", "1m30s")


@pytest.mark.parametrize(
    ("phase", "verdict"),
    [
        ("Pending", "Unknown"),
        ("Running", "Unknown"),
        ("Suspended", "Unknown"),
        ("Succeeded", "True"),
        ("Failed", "False"),
        ("Cancelled", "False"),
    ],
)
def test_the_condition_succeeded_says(phase: str, verdict: str) -> None:
    assert condition(written(Run(Phase(phase))), "Succeeded")["status"] == verdict


def test_an_unsound_resource_says_what_is_wrong_and_where() -> None:
    text = status.invalid(
        (Problem("spec.steps[0]", "no kind"), Problem("spec.steps[1].name", "is missing")), {}, 4, 2000.0
    )
    assert condition(text, "Valid")["message"] == "spec.steps[0]: no kind; spec.steps[1].name: is missing"
    assert (text["phase"], condition(text, "Valid")["status"], condition(text, "Succeeded")["reason"]) == (
        "Failed",
        "False",
        "InvalidSpec",
    )
    assert status.is_invalid(text)
    assert not status.is_invalid(written())


def test_the_status_of_10_000_steps_stays_far_under_the_limit_of_etcd() -> None:
    steps = [{"name": f"step-{n}", "container": {}} for n in range(10_000)]
    plan = WorkflowBuilder("w", steps=tuple(steps)).plan()
    tasks = {
        name: Task(Phase.SUCCEEDED, attempt=0, started_at=1e9, finished_at=1e9 + 1, handle=f"w-{name}-0-0123456789")
        for name in plan.workflow.steps
    }
    assert len(json.encode(status.written(plan, Run(Phase.RUNNING, started_at=1e9, tasks=tasks), {}, 1e9))) < 2_000_000


def test_what_steps_are_made_of_is_listed_as_the_workflow_is_read() -> None:
    inner = a_workflow().step("z").step("y", after=["z"])
    plan = a_workflow().step("b", forEach={"range": 12}).group("a", inner).plan()
    names = ["b/0", "b/2", "b/10", "a.z", "a.y", "a~1.z", "a~1.y"]
    run = Run(tasks={name: Task(Phase.RUNNING, attempt=0) for name in reversed(names)})
    assert [task["name"] for task in status.written(plan, run, {}, 0.0)["tasks"]] == names


def test_of_many_tasks_below_the_steps_those_that_succeeded_are_left_to_their_records() -> None:
    plan = a_workflow().step("s", forEach={"range": 10_000}).plan()
    tasks = {f"s/{n}": Task(Phase.SUCCEEDED, attempt=0, started_at=1e9, finished_at=1e9) for n in range(10_000)}
    tasks |= {"s": Task(Phase.RUNNING, attempt=0), "s/7": Task(Phase.FAILED, "Error", attempt=0)}
    text = status.written(plan, Run(Phase.RUNNING, started_at=1e9, tasks=tasks), {}, 1e9)
    assert [task["name"] for task in text["tasks"]] == ["s/7"]
    assert text["steps"][0]["progress"] == "10000/10000"
    assert len(json.encode(text)) < 2000


def test_of_many_trials_the_status_has_the_last_that_succeeded_and_what_no_record_tells() -> None:
    plan = a_workflow().tune("t", {"x": {"float": {"min": 0, "max": 1}}}, algorithm={"tpe": {}}).plan()
    tasks = {f"t/{n}": Task(Phase.SUCCEEDED, attempt=0, finished_at=1e9 + n) for n in range(3000)}
    tasks |= {f"t/{n}": Task(Phase.CANCELLED, "Pruned", attempt=0, finished_at=1e9) for n in range(1, 3000, 2)}
    tasks |= {"t": Task(Phase.RUNNING, attempt=0), "t/7": Task(Phase.FAILED, "Error", attempt=0)}
    text = status.written(plan, Run(Phase.RUNNING, started_at=1e9, tasks=tasks), {}, 1e9)
    assert [task["name"] for task in text["tasks"]] == ["t/7", *(f"t/{n}" for n in range(2980, 3000, 2))]
    assert text["steps"][0]["progress"] == "3000/3000"


@pytest.mark.parametrize(
    "task",
    [
        Task(Phase.RUNNING, attempt=0, handle="w-s-0-0123456789", started_at=1e9),
        Task(Phase.PENDING, "Error", "x" * 2000, attempt=0, failures=1, not_before=1e9 + 60),
        Task(Phase.FAILED, "Error", "x" * 2000, attempt=0, failures=1, started_at=1e9, finished_at=1e9),
        Task(Phase.SKIPPED, "ConditionFalse", "when: ${{ item > 3 }}", finished_at=1e9),
        Task(Phase.CANCELLED, "Cancelled", "", attempt=0, handle="w-s-0-0123456789", finished_at=1e9),
    ],
    ids=lambda task: str(task.phase),
)
def test_whatever_becomes_of_10_000_tasks_their_status_is_no_larger_than_300_kb(task: Task) -> None:
    plan = a_workflow().step("s", forEach={"range": 10_000}).plan()
    tasks = {"s": Task(Phase.RUNNING, attempt=0), **{f"s/{n}": task for n in range(10_000)}}
    text = status.written(plan, Run(Phase.RUNNING, started_at=1e9, tasks=tasks), {}, 1e9)
    assert len(json.encode(text)) < 300_000


def test_a_large_output_is_named_and_left_to_its_record() -> None:
    task = Task(Phase.SUCCEEDED, attempt=0, parameters={"n": 1.0, "text": "x" * 100_000})
    text = written(Run(Phase.RUNNING, tasks={"a": task}))
    assert (text["steps"][0]["outputs"], text["steps"][0]["largeOutputs"]) == ({"n": 1.0}, ["text"])

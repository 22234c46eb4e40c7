"""What waits, why, and in which order it is told."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.names import API_VERSION, KIND
from mlworkflow.core.status import stamp
from mlworkflow.runs.run import PodNow, Run
from mlworkflow.runs.top import Line, Why, lines

NOW = 1_800_000_000.0


def run(name: str = "w", message: str = "", phase: str = "Running", steps: Any = (), tasks: Any = ()) -> Run:
    metadata = {"name": name, "namespace": "ml", "uid": f"uid-{name}", "creationTimestamp": stamp(NOW - 30)}
    status = {
        "phase": phase,
        "message": message,
        "startedAt": stamp(NOW - 20),
        "steps": list(steps),
        "tasks": list(tasks),
    }
    return Run(
        name, {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"steps": []}, "status": status}
    )


def step(name: str, phase: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "phase": phase, **fields}


def only(*runs: Run, pods: Any = None) -> Line:
    (found,) = lines(runs, pods or {}, NOW)
    return found


def test_what_runs_has_its_time_and_what_its_pod_uses() -> None:
    running = step("train", "Running", attempts=1, pod="p", startedAt=stamp(NOW - 12))
    line = only(run(steps=[running, step("later", "Pending")]), pods={"p": PodNow("p", "n1", "", 0.5, 1024)})
    assert (line.task, line.why, line.seconds, line.node, line.cpu, line.memory) == (
        "train",
        Why.NOTHING,
        12,
        "n1",
        0.5,
        1024,
    )
    assert line.plain()["state"] == "Running"


def test_a_pod_that_does_not_start_is_told_with_the_words_of_who_knows() -> None:
    line = only(
        run(steps=[step("train", "Running", attempts=1, pod="p")]),
        pods={"p": PodNow("p", "", "Unschedulable: 0/3 nodes")},
    )
    assert (line.why, line.message) == (Why.POD, "Unschedulable: 0/3 nodes")


def test_backoff() -> None:
    task = step("train", "Pending", attempts=1, retryAt=stamp(NOW + 20), reason="Error", message="exit code 3\nmore")
    line = only(run(steps=[task]))
    assert (line.why, line.message) == (Why.BACKOFF, "attempt 2 in 20s, after Error: exit code 3")


@pytest.mark.parametrize(
    ("message", "why", "task"),
    [
        ("step 'b' waits for room: as many Pods run as may run at once (and 3 more tasks wait)", Why.ROOM, "b"),
        ("step 'b' waits for the lock 'gpu'", Why.LOCK, "b"),
        ("step 'b' waits for the result of a step that does the same work at the moment", Why.SAME_WORK, "b"),
        ("waiting to create Pods: exceeded quota: small", Why.QUOTA, ""),
        ("waiting for the object store: 503", Why.STORE, ""),
    ],
)
def test_what_a_workflow_as_a_whole_waits_for(message: str, why: Why, task: str) -> None:
    line = only(run(message=message, steps=[step("b", "Pending")]))
    assert (line.why, line.task, line.message) == (why, task, message)


def test_what_its_own_parallelism_keeps_back_is_told_and_what_waits_for_a_step_is_not() -> None:
    steps = [
        step("a", "Running", attempts=1, pod="p"),
        step("b", "Pending"),
        step("c", "Pending"),
        step("d", "Pending"),
    ]
    written = [{"name": one["name"], "container": {"image": "x", "command": ["true"]}} for one in steps]
    written[3]["after"] = ["b"]
    busy = run(steps=steps)
    found = lines([Run("w", {**busy.resource, "spec": {"parallelism": 1, "steps": written}})], {}, NOW)
    assert [(line.task, line.why) for line in found] == [("b", Why.ROOM), ("a", Why.NOTHING)]
    assert found[0].message == "as many Pods run as its parallelism says: 1 (and 1 more tasks wait)"
    free = lines([Run("w", {**busy.resource, "spec": {"parallelism": 2, "steps": written}})], {}, NOW)
    assert [line.task for line in free] == ["a"]


def test_each_cause_that_a_workflow_names_has_a_line() -> None:
    both = "step 'ship' waits for approval; step 'b' waits for the lock 'gpu' (and 2 more tasks wait)"
    assert only(run(message=both, steps=[step("b", "Pending")])).message.startswith("step 'b' waits for the lock 'gpu'")


def test_an_approval_is_told_with_the_command() -> None:
    ask = {"name": "ship", "approve": {"inputs": {"share": {"type": "number"}}}}
    asked = run(steps=[step("ship", "Running", attempts=1)])
    line = only(Run("w", {**asked.resource, "spec": {"steps": [ask]}}))
    assert (line.why, line.message) == (Why.APPROVAL, "mlwf approve w ship -p share=…")


def test_a_suspended_one_and_one_that_nobody_has_looked_at() -> None:
    assert only(run(phase="Suspended")).message == "mlwf resume w"
    line = only(run(phase="Pending"))
    assert (line.why, line.seconds) == (Why.OPERATOR, 30)


def test_what_waits_comes_first_and_what_has_ended_not_at_all() -> None:
    busy = run("busy", steps=[step("a", "Running", attempts=1, startedAt=stamp(NOW - 99))])
    stuck = run("stuck", steps=[step("a", "Running", attempts=1, pod="p", startedAt=stamp(NOW - 5))])
    found = lines([busy, stuck, run("over", phase="Succeeded")], {"p": PodNow("p", waits="ErrImagePull")}, NOW)
    assert [line.run for line in found] == ["stuck", "busy"]


def test_a_fan_out_is_told_by_its_items_and_a_try_that_is_over_is_not() -> None:
    group = step("g", "Running", attempts=1, progress="1/2")
    items = [step("g/0", "Succeeded", attempts=1), step("g/1", "Running", attempts=1, startedAt=stamp(NOW - 1))]
    assert only(run(steps=[group], tasks=items)).task == "g/1"

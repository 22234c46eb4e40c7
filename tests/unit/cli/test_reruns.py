"""What a retry asks for, as a patch."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.errors import SpecError
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.reruns import request
from mlworkflow.runs.run import Run

STEPS = [{"name": "one", "container": {"command": ["run"]}}]
DECISIONS = {"ship": {"approved": True, "by": "ann"}}


def run(phase: str, **spec: Any) -> Run:
    resource = {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "metadata": {"name": "w", "uid": "u"}}
    return Run("w.1", {**resource, "spec": {"steps": STEPS, **spec}, "status": {"phase": phase}})


def edited(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "w"}, "spec": {"steps": STEPS, **spec}}


AGAIN = {"rerun": {"id": "r", "steps": []}}


@pytest.mark.parametrize(
    ("found", "asked", "patch"),
    [
        (run("Failed"), {}, AGAIN),
        (run("Running"), {}, AGAIN),
        (run("Cancelled", cancel=True), {}, {"cancel": False, **AGAIN}),
        (run("Succeeded"), {}, None),
        (run("Succeeded", rerun={"id": "old"}, approvals=DECISIONS), {"edited": edited()}, None),
        (run("Succeeded"), {"steps": ["one"]}, {"rerun": {"id": "r", "steps": ["one"]}}),
        (run("Succeeded", params={"x": 1}), {"params": ["x=1"]}, None),
        (run("Succeeded", params={"x": 1, "y": 1}), {"params": ["x=2"]}, {"params": {"x": 2}, **AGAIN}),
        (run("Failed", timeout="1h"), {"edited": edited(parallelism=2)}, {"timeout": None, "parallelism": 2, **AGAIN}),
        (run("Failed", suspend=True), {"edited": edited(suspend=False)}, AGAIN),
        (run("Failed"), {"edited": edited(params={"x": 1}), "params": ["x=2"]}, {"params": {"x": 2}, **AGAIN}),
    ],
)
def test_the_patch(found: Run, asked: dict[str, Any], patch: dict[str, Any] | None) -> None:
    assert request(found, "r", **asked) == patch


@pytest.mark.parametrize(
    ("asked", "error", "told"),
    [
        ({"steps": ["two"]}, RunsError, "--step two: w.1 has no such step"),
        ({"params": ["y=1"]}, Usage, "spec.params has no 'y'"),
        ({"params": ["x=null"]}, Usage, "a null in the spec"),
        ({"edited": {"metadata": {"name": "v"}, "spec": {"steps": STEPS}}}, Usage, "the file is of the workflow 'v'"),
        ({"edited": edited(timeout="soon")}, SpecError, "timeout"),
    ],
)
def test_what_cannot_be_asked(asked: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        request(run("Failed", params={"x": 1}), "r", **asked)

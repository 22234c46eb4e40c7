"""`evaluate` before anything runs: a gate that can say nothing, or that nothing can pass, is told by its field."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.errors import SpecError

from tests.builders import WorkflowBuilder, a_workflow


def judging(**body: Any) -> WorkflowBuilder:
    made = a_workflow().step("make", outputs="model test champion")
    return made.kind(
        "judge", "evaluate", body, inputs={"model": "make.model", "test": "make.test", "champion": "make.champion"}
    )


def test_what_a_gate_can_ask() -> None:
    judging().plan()
    judging(target=["a", "b"], gate={"f1_micro": {"minSamples": 100}}).plan()
    judging(slices=["a"], gate={"rmse": {"slices": {"minDelta": 0}}}).plan()
    judging(
        slices=["season", {"column": "temp", "bins": "${{ params.bins }}"}],
        gate={"rmse": {"max": "${{ params.worst }}", "min": 0, "minDelta": -1, "slices": {"max": 3, "minSamples": 10}}},
    ).param("worst", 3).param("bins", 5).plan()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"gate": {"rmse": {}}}, "gate.rmse: needs `min`, `max`, `minDelta`, `minSamples` or `slices`"),
        ({"gate": {"rmse": {"min": 2, "max": 1}}}, "gate.rmse: min 2 is above max 1: nothing can pass"),
        ({"gate": {"rmse": {"slices": {"max": 1}}}}, "gate.rmse.slices: is for slices, and `slices` does not say what they are: name columns"),
        ({"slices": ["a"], "gate": {"rmse": {"slices": {"minSamples": 1}}}}, "gate.rmse.slices: needs `min`, `max` or `minDelta`"),
        ({"slices": ["a"], "gate": {"rmse": {"slices": {"min": 2, "max": 1}}}}, "gate.rmse.slices: min 2 is above max 1: nothing can pass"),
        ({"slices": ["a", {"column": "b", "bins": 1}]}, "slices[1].bins: is from 2 to 50, not 1"),
        ({"confidence": 1}, "confidence: is a share from 0.5 to below 1, not 1"),
    ],
)  # fmt: skip
def test_what_it_cannot_is_named_by_its_field(body: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as error:
        judging(**body).plan()
    assert [str(problem) for problem in error.value.problems] == [f"spec.steps[1].evaluate.{said}"]

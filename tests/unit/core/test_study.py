"""The study of a tune step: which trials, in which order, with which parameters."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.study import study_of, trial_count, trial_params

from tests.builders import a_workflow


def study(space: dict[str, Any], algorithm: dict[str, Any] | None = None, most: int = 1000) -> Tune:
    body = {"metric": {"name": "acc"}, "space": space, "step": {}, "trials": {"max": most}}
    return msgspec.convert({**body, **({"algorithm": algorithm} if algorithm else {})}, Tune)


def drawn(body: Tune) -> list[dict[str, Any]]:
    return [dict(trial_params(body, number)) for number in range(trial_count(body))]


@pytest.mark.parametrize(
    ("space", "points"),
    [
        pytest.param(
            {"a": {"choice": [1, "x", None, [2]]}},
            [{"a": 1}, {"a": "x"}, {"a": None}, {"a": [2]}],
            id="a choice of any values",
        ),
        pytest.param(
            {"a": {"int": {"min": 1, "max": 6, "step": 2}}}, [{"a": 1}, {"a": 3}, {"a": 5}], id="integers with a step"
        ),
        pytest.param({"a": {"int": {"min": 2, "max": 2}}}, [{"a": 2}], id="a single integer"),
        pytest.param(
            {"a": {"float": {"min": 0.1, "max": 0.5, "step": 0.1}}},
            [{"a": x} for x in (0.1, 0.2, 0.3, 0.4, 0.5)],
            id="decimals as written",
        ),
        pytest.param(
            {"a": {"float": {"min": 0, "max": 1, "step": 0.4}}},
            [{"a": x} for x in (0.0, 0.4, 0.8)],
            id="a step that does not end at the end",
        ),
        pytest.param(
            {"a": {"choice": [1, 2]}, "b": {"choice": ["x", "y"]}},
            [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}],
            id="the last dimension varies fastest",
        ),
    ],
)
def test_a_grid_is(space: dict[str, Any], points: list[dict[str, Any]]) -> None:
    assert drawn(study(space)) == points


def test_a_grid_has_no_more_trials_than_may() -> None:
    assert [point["a"] for point in drawn(study({"a": {"choice": [1, 2, 3]}}, most=2))] == [1, 2]


_RANDOM = {
    "i": {"int": {"min": 1, "max": 10, "step": 3}},
    "f": {"float": {"min": 0.0, "max": 1.0}},
    "c": {"choice": ["a", "b"]},
}


def test_a_trial_depends_on_the_seed_and_its_number_alone() -> None:
    few, many = (
        drawn(study(_RANDOM, {"random": {"seed": 7}}, most=5)),
        drawn(study(_RANDOM, {"random": {"seed": 7}}, most=50)),
    )
    assert many[:5] == few
    assert drawn(study(_RANDOM, {"random": {"seed": 8}}, most=5)) != few


def test_random_draws_stay_in_their_ranges_and_on_their_steps() -> None:
    points = drawn(study(_RANDOM, {"random": {}}, most=300))
    assert {point["i"] for point in points} == {1, 4, 7, 10}
    assert all(0 <= point["f"] <= 1 for point in points)
    assert {point["c"] for point in points} == {"a", "b"}


def test_a_float_with_a_step_is_drawn_on_its_steps_as_written() -> None:
    points = drawn(study({"f": {"float": {"min": 0.1, "max": 0.3, "step": 0.1}}}, {"random": {}}, most=100))
    assert {point["f"] for point in points} == {0.1, 0.2, 0.3}


def test_a_logarithmic_range_is_drawn_evenly_in_the_logarithm() -> None:
    space = {"f": {"float": {"min": 1e-4, "max": 1.0, "log": True}}, "i": {"int": {"min": 1, "max": 1000, "log": True}}}
    points = drawn(study(space, {"random": {}}, most=400))
    assert all(1e-4 <= point["f"] <= 1 and 1 <= point["i"] <= 1000 for point in points)
    assert 140 < sum(point["f"] < 1e-2 for point in points) < 260
    assert 120 < sum(point["i"] < 32 for point in points) < 280


def test_a_logarithmic_integer_stays_on_its_steps_up_to_the_end() -> None:
    space = {"i": {"int": {"min": 1, "max": 10, "step": 4, "log": True}}}
    assert {point["i"] for point in drawn(study(space, {"random": {}}, most=200))} == {1, 5, 9}


def test_expressions_of_a_study_are_evaluated() -> None:
    workflow = (
        a_workflow()
        .param("most", 2)
        .tune("t", {"p": ["${{ params.most }}", 1, 2]}, trials={"max": "${{ params.most }}"})
        .parsed()
    )
    assert drawn(study_of(workflow.steps["t"], {"params": workflow.params})) == [{"p": 2}, {"p": 1}]


@pytest.mark.parametrize("value", ["many", 2.5, None, 0, "${{ 3 }}"])
def test_a_budget_that_turns_out_wrong_names_its_field(value: object) -> None:
    workflow = a_workflow().param("most", value).tune("t", {"p": [1]}, trials={"max": "${{ params.most }}"}).parsed()
    with pytest.raises(ExpressionError, match=r"evaluated, tune\.trials\.max"):
        study_of(workflow.steps["t"], {"params": workflow.params})

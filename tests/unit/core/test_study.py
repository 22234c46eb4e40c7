"""The study of a tune step: which trials, in which order, with which parameters."""

from __future__ import annotations

from operator import ge
from random import Random
from typing import Any

import msgspec
import pytest
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.study import best_of, grid_points, pareto_of, study_of

from tests.builders import a_workflow


def study(space: dict[str, Any], most: int = 1000, **fields: Any) -> Tune:
    metric = {} if "metrics" in fields else {"metric": {"name": "acc"}}
    return msgspec.convert({**metric, "space": space, "step": {}, "trials": {"max": most}, **fields}, Tune)


def drawn(body: Tune) -> list[dict[str, Any]]:
    return grid_points(body, {})


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


_TREE = {"kind": {"choice": ["tree", "svm"]}, "depth": {"choice": [1, 2], "when": {"kind": "tree"}}}


def test_a_grid_has_a_parameter_only_where_its_condition_holds() -> None:
    assert drawn(study(_TREE)) == [{"kind": "tree", "depth": 1}, {"kind": "tree", "depth": 2}, {"kind": "svm"}]


def test_the_order_of_the_file_makes_no_difference_for_a_cluster_does_not_keep_it() -> None:
    assert drawn(study({"b": {"choice": [1, 2]}, "a": {"choice": [3]}})) == drawn(
        study({"a": {"choice": [3]}, "b": {"choice": [1, 2]}})
    )


def test_a_grid_begins_with_the_starting_points_and_tries_nothing_twice() -> None:
    body = study({"a": {"choice": [1, 2]}, "b": {"choice": [1, 2]}}, enqueue=[{"a": 2}])
    assert [(point["a"], point["b"]) for point in drawn(body)] == [(2, 1), (2, 2), (1, 1), (1, 2)]


def test_a_grid_leaves_out_what_breaks_a_constraint() -> None:
    body = study(
        {"a": {"choice": [1, 2, 3]}},
        constraints=["${{ trial.params.a * trial.params.k < params.most }}"],
        fixed={"k": 2},
    )
    assert grid_points(body, {"params": {"most": 5}}) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "words"),
    [("${{ trial.params.a }}", "is int, not true or false"), ("${{ trial.params.x > 1 }}", "no such key|x")],
)
def test_a_constraint_that_cannot_be_told_names_its_field(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=rf"tune\.constraints\[0\].*({words})"):
        grid_points(study({"a": {"choice": [1]}}, constraints=[text]), {})


def test_what_no_other_trial_beats_is_the_pareto_set() -> None:
    body = study({"a": {"choice": [1]}}, metrics=[{"name": "x"}, {"name": "y", "goal": "minimize"}])
    values = {0: [1.0, 1.0], 1: [2.0, 2.0], 2: [1.0, 2.0], 3: [2.0, 2.0], 4: [0.0, 0.5], 5: [0.0, 0.6]}
    assert pareto_of(body, values) == [0, 1, 3, 4]
    assert best_of(body, values) == 1


def test_the_pareto_set_is_what_its_definition_says() -> None:
    body = study({"a": {"choice": [1]}}, metrics=[{"name": "x"}, {"name": "y", "goal": "minimize"}, {"name": "z"}])
    random = Random(1)
    values = {number: [float(random.randrange(5)) for _ in range(3)] for number in range(200)}
    better = {number: (x, -y, z) for number, (x, y, z) in values.items()}
    beaten = {n for n, own in better.items() for o in better.values() if o != own and all(map(ge, o, own))}
    assert pareto_of(body, values) == [number for number in values if number not in beaten]


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

"""From a task to an order: everything evaluated, every input pinned."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.state import Phase, Task
from mlworkflow.core.view import View

from tests.builders import WorkflowBuilder, a_workflow, artifact, order_of

_DONE = Task(Phase.SUCCEEDED, parameters={"n": 3, "s": "é\n"}, artifacts={"o": artifact("o")})


def order(builder: WorkflowBuilder, task: str = "c", tasks: dict[str, Task] | None = None) -> Any:
    return order_of(builder, task, tasks if tasks is not None else {"a-b": _DONE})


_A = a_workflow().param("p", {"k": [1, 2.0]}).step("a-b", outputs="o? n:number s:string")


def test_parameters_keep_their_types_and_are_in_the_order_of_the_file() -> None:
    found = order(_A.step("c", params={"z": "${{ params.p }}", "a": "n is ${{ steps.a_b.outputs.n }}", "k": 1}))
    assert list(found.params.items()) == [("z", {"k": [1, 2.0]}), ("a", "n is 3"), ("k", 1)]


def test_an_order_says_what_the_attempts_before_it_cost() -> None:
    found = order(_A.step("c"), tasks={"a-b": _DONE, "c": Task(Phase.PENDING, attempt=2, failures=2, losses=1)})
    assert (found.failures, found.losses) == (2, 1)


def test_inputs_are_pinned_to_what_was_committed() -> None:
    assert order(_A.step("c", inputs={"x": "a-b.o"})).inputs == {"x": artifact("o")}


def test_an_input_that_was_not_left_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        order(_A.step("c", inputs={"x": "a-b.o"}), tasks={"a-b": Task(Phase.SUCCEEDED)})


def test_a_command_is_text_whatever_its_expressions_give() -> None:
    found = order(_A.step("c", ["x", "${{ steps.a_b.outputs.n }}", "${{ params.p }}", "${{ steps.a_b.outputs.s }}"]))
    assert found.command == ("x", "3", '{"k": [1, 2.0]}', "é\n")


def test_the_values_of_environment_variables_are_text_and_sources_stay() -> None:
    source = {"name": "S", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    assert order(_A.step("c", env=[{"name": "N", "value": "${{ steps.a_b.outputs.n }}"}, source])).env == (
        {"name": "N", "value": "3"},
        source,
    )


def test_an_image_is_evaluated_once() -> None:
    assert (
        order(
            _A.param("tag", "${{ 1 }}").kind("c", "container", {"image": "i:${{ params.tag }}", "command": ["x"]})
        ).image
        == "i:${{ 1 }}"
    )
    assert order(_A.kind("c", "container", {"command": ["x"]}, image="d:${{ steps.a_b.outputs.n }}")).image == "d:3"


def test_an_expression_knows_the_workflow() -> None:
    found = order(
        _A.meta(uid="u", namespace="ns").step(
            "c", ["${{ workflow.name }}/${{ workflow.namespace }}/${{ workflow.uid }}"]
        )
    )
    assert found.command == ("w/ns/u",)


def test_a_dash_in_a_parameter_may_be_an_underscore() -> None:
    assert order(_A.param("my-p", 5).step("c", params={"x": "${{ params.my_p + 1 }}"})).params == {"x": 6}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"params": {"x": "${{ 1 / 0 }}"}}, "params: ", id="a parameter"),
        pytest.param({"command": ["${{ 1 / 0 }}"]}, "container: ", id="a command"),
        pytest.param({"env": [{"name": "X", "value": "${{ 1 / 0 }}"}]}, "env: ", id="an environment variable"),
        pytest.param({"resources": {"x": "${{ 1 / 0 }}"}}, "resources: ", id="resources"),
        pytest.param({"image": "${{ 1 / 0 }}"}, "image: ", id="an image"),
    ],
)
def test_a_failing_expression_names_its_field(fields: dict[str, Any], words: str) -> None:
    command = fields.pop("command", ["x"])
    with pytest.raises(ExpressionError, match=words):
        order(_A.kind("c", "container", {"command": command}, **fields))


def test_a_value_that_does_not_fit_its_field_is_named() -> None:
    body = {"source": {"sklearn": "iris"}, "target": "y", "split": {"test": "${{ params.p }}"}}
    with pytest.raises(ExpressionError, match=r"evaluated, prep\.split\.test"):
        order(_A.kind("c", "prep", body))


_TRAIN = {
    "train": {"estimator": "x", "params": {"depth": 1, "seed": 2}},
    "params": {"depth": 0, "own": "${{ trial.number }}"},
}


def test_the_parameters_of_a_trial_go_into_its_params_and_those_of_a_train_step() -> None:
    builder = _A.tune(
        "t", {"depth": [3, 5]}, trial=_TRAIN, inputs={"train": "a-b.o"}, params={"of": "tune", "depth": -1}
    )
    found = order(builder, "t/1")
    assert dict(found.params) == {"of": "tune", "depth": 5, "own": 1}
    assert found.spec["params"] == {"depth": 5, "seed": 2}
    assert found.inputs == {"train": artifact("o")}
    assert (found.step.kind.name, found.task) == ("train", "t/1")


def test_a_step_is_looked_at_only_where_it_is_named() -> None:
    plan = _A.step("c").plan()
    steps = View(plan.workflow, plan.nodes, {}).names(plan.nodes["c"])["steps"]
    assert list(steps) == ["a-b", "a_b", "c"]
    assert steps["a_b"]["phase"] == "Pending"
    assert "nothing" not in steps


def test_all_steps_can_be_looked_at() -> None:
    found = order(_A.step("c", params={"x": "${{ size(steps) }}", "y": "${{ steps.exists(s, s == 'a-b') }}"}))
    assert dict(found.params) == {"x": 3, "y": True}

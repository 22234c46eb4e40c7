"""What the end of a step means for those that wait for it, by the kind of dependency."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.errors import SpecError
from mlworkflow.core.state import Phase
from mlworkflow.core.view import literal

from tests.builders import WorkflowBuilder, a_workflow
from tests.unit.core.play import Play

_A = a_workflow().param("go", False).step("a", outputs="o n:number")
_SKIPPED = a_workflow().param("go", False).step("a", outputs="o n:number", when="${{ params.go }}")


def after_a(builder: WorkflowBuilder, end: str, **fields: Any) -> Play:
    """Step `b` depends on `a`, which ends as `end`."""
    play = Play(builder.step("b", **fields)).turn()
    match end:
        case "Succeeded":
            play.succeeds("a", n=1.0)
        case "Failed":
            play.fails("a")
    return play.turn()


_KINDS: dict[str, dict[str, Any]] = {
    "after": {"after": ["a"]},
    "after, skipped too": {"after": ["a"], "runAfter": ["Succeeded", "Skipped"]},
    "after, whatever": {"after": ["a"], "runAfter": ["Succeeded", "Failed", "Skipped"]},
    "after a failure": {"after": ["a"], "runAfter": ["Failed"]},
    "input": {"inputs": {"x": "a.o"}},
    "optional input": {"inputs": {"x": {"from": "a.o", "optional": True}}},
    "input with a default": {"inputs": {"x": {"from": "a.o", "default": "text"}}},
    "parameter": {"params": {"p": "${{ steps.a.outputs.n }}"}},
    "phase": {"params": {"p": "${{ steps.a.phase }}"}},
    "question": {"params": {"p": "${{ has(steps.a.outputs.n) ? steps.a.outputs.n : 0.0 }}"}},
}


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        ("after", {"Succeeded": "runs", "Failed": "DependencyFailed", "Skipped": "DependencySkipped"}),
        ("after, skipped too", {"Succeeded": "runs", "Failed": "DependencyFailed", "Skipped": "runs"}),
        ("after, whatever", {"Succeeded": "runs", "Failed": "runs", "Skipped": "runs"}),
        ("after a failure", {"Succeeded": "DependencySkipped", "Failed": "runs", "Skipped": "DependencySkipped"}),
        ("input", {"Succeeded": "runs", "Failed": "DependencyFailed", "Skipped": "DependencySkipped"}),
        ("optional input", {"Succeeded": "runs", "Failed": "runs", "Skipped": "runs"}),
        ("input with a default", {"Succeeded": "runs", "Failed": "runs", "Skipped": "runs"}),
        ("parameter", {"Succeeded": "runs", "Failed": "DependencyFailed", "Skipped": "DependencySkipped"}),
        ("phase", {"Succeeded": "runs", "Failed": "runs", "Skipped": "runs"}),
        ("question", {"Succeeded": "runs", "Failed": "runs", "Skipped": "runs"}),
    ],
)
@pytest.mark.parametrize("end", ["Succeeded", "Failed", "Skipped"])
def test_what_the_end_of_a_step_means_for_one_that_depends_on_it(kind: str, ends: dict[str, str], end: str) -> None:
    play = after_a(_SKIPPED if end == "Skipped" else _A, end, **_KINDS[kind])
    if ends[end] == "runs":
        assert play.task("b").phase is Phase.RUNNING
    else:
        assert play.is_("b", Phase.SKIPPED, ends[end])


def test_a_step_that_runs_after_a_skipped_one_has_what_is_there() -> None:
    assert after_a(_SKIPPED, "Skipped", **_KINDS["question"]).run.tasks["b"].phase is Phase.RUNNING
    play = Play(_SKIPPED.step("b", **_KINDS["question"])).turn()
    assert play.orders[0].params == {"p": 0.0}
    play = Play(_SKIPPED.step("b", **_KINDS["phase"])).turn()
    assert play.orders[0].params == {"p": "Skipped"}
    assert Play(_SKIPPED.step("b", **_KINDS["optional input"])).turn().orders[0].inputs == {}


@pytest.mark.parametrize(
    ("default", "content"),
    [("text é\n", "text é\n".encode()), ({"b": 1, "a": [None]}, b'{"a": [null], "b": 1}'), (3, b"3"), ("", b"")],
)
def test_a_default_is_the_content_of_a_file(default: Any, content: bytes) -> None:
    builder = _SKIPPED.step("b", inputs={"x": {"from": "a.o", "default": default}})
    (order,) = Play(builder).turn().orders
    assert order.literals == {order.inputs["x"].digest: content}
    assert (order.inputs["x"].size, order.inputs["x"].type) == (len(content), "file")
    assert literal(order.step.inputs["x"]) == content


def test_a_diamond_with_a_skipped_branch_takes_the_one_that_ran() -> None:
    """argo #1386, #14774; kubeflow/pipelines #13436: the output of whichever branch ran."""
    builder = (
        a_workflow()
        .param("big", True)
        .step("data", outputs="d")
        .step("small", inputs="data.d", outputs="model", when="${{ !params.big }}")
        .step("large", inputs="data.d", outputs="model", when="${{ params.big }}")
        .step("join", inputs={"model": {"from": ["small.model", "large.model"]}})
        .step("last", after=["small", "large"], runAfter=["Succeeded", "Skipped"])
    )
    play = Play(builder).turn().succeeds("data").turn()
    assert play.started == ["large"]
    assert play.is_("small", Phase.SKIPPED, "ConditionFalse")
    play.succeeds("large").turn()
    assert play.started == ["join", "last"]
    assert play.orders[0].inputs["model"] == play.task("large").artifacts["model"]


def test_of_several_sources_the_first_that_exists_is_taken() -> None:
    builder = a_workflow().step("x", outputs="m").step("y", outputs="m")
    play = Play(builder.step("t", inputs={"m": {"from": ["x.m", "y.m"]}})).turn().succeeds("y").turn()
    assert play.started == []
    play.succeeds("x").turn()
    assert play.orders[0].inputs["m"] == play.task("x").artifacts["m"]
    play = Play(builder.step("t", inputs={"m": {"from": ["x.m", "y.m"]}})).turn().fails("x").fails("y").turn()
    assert play.is_("t", Phase.SKIPPED, "DependencyFailed")


def test_a_reference_that_can_never_resolve_is_an_error_and_no_wait() -> None:
    builder = a_workflow().step("a", outputs="o? n:number?")
    play = Play(builder.step("b", params={"p": "${{ steps.a.outputs.n }}"}).step("c", inputs="a.o")).turn()
    play.succeeds("a", without="o").turn()
    assert play.is_("b", Phase.FAILED, "ExpressionError")
    assert play.is_("c", Phase.FAILED, "ArtifactMissing")
    assert play.run.phase is Phase.FAILED


def test_nothing_is_a_value_like_any_other() -> None:
    """kubeflow/pipelines #11667: an optional parameter whose default is null makes the run fail."""
    builder = a_workflow().param("limit", None).step("a", params={"limit": "${{ params.limit }}", "own": None})
    (order,) = Play(builder.step("b", when="${{ params.limit == null }}")).turn().orders[:1]
    assert order.params == {"limit": None, "own": None}


def test_a_skip_carries_on_as_what_it_is() -> None:
    play = Play(_SKIPPED.step("b", after=["a"]).step("c", after=["b"])).turn()
    assert play.is_("c", Phase.SKIPPED, "DependencySkipped")
    assert play.run.phase is Phase.SUCCEEDED


@pytest.mark.parametrize("when", ["${{ params.go ? 1 : 2 }}", "${{ 'yes' }}"])
def test_a_condition_that_is_neither_true_nor_false_fails_the_step(when: str) -> None:
    play = Play(a_workflow().param("go", True).step("a", when=when)).turn()
    assert play.is_("a", Phase.FAILED, "ExpressionError")
    assert "not true or false" in play.task("a").message


@pytest.mark.parametrize(
    ("source", "words"),
    [(["a.o", "z.o"], "there is no step 'z'"), ([], "names 1 to 32"), (["a"], "write <step>.<output>")],
)
def test_mistakes_in_a_list_of_sources_are_found(source: list[str], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        _A.step("b", inputs={"x": {"from": source}}).plan()
    assert {problem.path for problem in caught.value.problems} == {"spec.steps[1].inputs.x.from"}
    assert words in str(caught.value)

"""Fan-out and fan-in: steps with `forEach`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mlworkflow.core.actions import Publish
from mlworkflow.core.collection import decode
from mlworkflow.core.errors import ExpressionError, SpecError
from mlworkflow.core.fields import ForEach, IntSpan
from mlworkflow.core.items import items_of, tolerated
from mlworkflow.core.state import Phase

from tests.builders import WorkflowBuilder, a_workflow
from tests.unit.core.play import Play


def fan(each: Any = ("x", "y", "z"), **fields: Any) -> WorkflowBuilder:
    return a_workflow().step(
        "s", outputs="o n:number", forEach=list(each) if isinstance(each, tuple) else each, **fields
    )


# ── items ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("each", "items"),
    [
        ([1, "a", None], [1, "a", None]),
        ([], []),
        (ForEach(items=[1]), [1]),
        (ForEach(range=3), [0, 1, 2]),
        (ForEach(range=0), []),
        (ForEach(range=IntSpan(2, 8, 3)), [2, 5, 8]),
        (ForEach(range=IntSpan(3, 2)), []),
        (
            ForEach(matrix={"a": [1, 2], "b": ["x", "y"]}),
            [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}],
        ),
        (ForEach(matrix={"a": [1, 2], "b": []}), []),
    ],
)
def test_the_items_of(each: Any, items: list[Any]) -> None:
    assert items_of(each, lambda value: value) == items


@pytest.mark.parametrize(
    ("each", "words"),
    [
        (ForEach(range=10_001), "the most are 10000"),
        (ForEach(matrix={"a": [0] * 101, "b": [0] * 100}), "has 10100 items"),
        (ForEach(range=-1), "not below 0"),
        (ForEach(range=IntSpan(0, 5, 0)), "at least 1"),
        ("text", "is a list, not str"),
        (ForEach(range="${{ 1.5 }}"), "whole number"),
    ],
)
def test_what_gives_no_items_is_refused(each: Any, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        items_of(each, lambda value: 1.5 if value == "${{ 1.5 }}" else value)


@pytest.mark.parametrize(
    ("limit", "total", "may"), [(0, 9, 0), (2, 9, 2), ("20%", 9, 1), ("20%", 10, 2), ("100%", 3, 3), ("0%", 3, 0)]
)
def test_tolerance(limit: int | str, total: int, may: int) -> None:
    assert tolerated(limit, total) == may


@pytest.mark.parametrize(
    ("builder", "path", "words"),
    [
        (fan("not an expression"), "spec.steps[0].forEach", "one whole expression"),
        (fan({"range": 3, "items": [1]}), "spec.steps[0].forEach", "exactly one of"),
        (fan({}), "spec.steps[0].forEach", "exactly one of"),
        (fan([0] * 10_001), "spec.steps[0].forEach", "the most are 10000"),
        (fan({"matrix": {"a": "b"}}), "spec.steps[0].forEach.matrix.a", "one whole expression"),
        (fan("${{ item }}"), "spec.steps[0].forEach", "unknown name 'item'"),
        (a_workflow().step("s", params={"x": "${{ item }}"}), "spec.steps[0].params.x", "unknown name 'item'"),
        (a_workflow().step("s", parallel=2), "spec.steps[0].parallel", "belongs to a step with forEach"),
        (a_workflow().step("s", maxFailed="10%"), "spec.steps[0].maxFailed", "belongs to a step with forEach"),
    ],
)
def test_mistakes_are_found_before_anything_runs(builder: WorkflowBuilder, path: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        builder.plan()
    found = {problem.path: problem.message for problem in caught.value.problems}
    assert words in found[path]


# ── fan-out ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_item_is_a_task_that_knows_its_item() -> None:
    play = Play(fan(params={"p": "${{ item }}-${{ index }}"})).turn()
    assert play.started == ["s/0", "s/1", "s/2"]
    assert [order.params["p"] for order in play.orders] == ["x-0", "y-1", "z-2"]
    assert play.is_("s", Phase.RUNNING)


def test_items_may_come_from_an_earlier_step() -> None:
    builder = a_workflow().step("list", outputs="names:json")
    builder = builder.step("s", forEach="${{ steps.list.outputs.names }}", params={"p": "${{ item.k }}"})
    play = Play(builder).turn()
    assert play.started == ["list"]
    play.succeeds("list", names=[{"k": 1}, {"k": 2}]).turn()
    assert [order.params["p"] for order in play.orders] == [1, 2]


def test_items_that_are_no_list_fail_the_step() -> None:
    builder = a_workflow().step("list", outputs="names:json").step("s", forEach="${{ steps.list.outputs.names }}")
    play = Play(builder).turn().succeeds("list", names="abc").turn()
    assert play.is_("s", Phase.FAILED, "ExpressionError")
    assert play.run.phase is Phase.FAILED


def test_parallel_bounds_the_items_at_once() -> None:
    play = Play(fan(parallel=2)).turn()
    assert play.started == ["s/0", "s/1"]
    assert play.succeeds("s/1", n=1).turn().started == ["s/2"]


def test_no_items_are_a_success_with_empty_lists() -> None:
    play = Play(fan(()).step("t", inputs="s.o", params={"n": "${{ steps.s.outputs.n }}"})).turn()
    (publish,) = play.asked(Publish)
    assert (publish.parameters, decode(publish.collections["o"])) == ({"n": []}, ())
    assert play.publishes().turn().started == ["t"]
    assert play.orders[0].params["n"] == []


def test_a_condition_on_the_item_is_asked_of_each() -> None:
    play = Play(fan(when="${{ item != 'y' }}")).turn()
    assert play.started == ["s/0", "s/2"]
    assert play.is_("s/1", Phase.SKIPPED, "ConditionFalse")


def test_a_condition_on_something_else_is_asked_once() -> None:
    play = Play(fan(when="${{ params.go }}").param("go", False)).turn()
    assert play.is_("s", Phase.SKIPPED, "ConditionFalse")
    assert play.run.phase is Phase.SUCCEEDED


def test_ten_thousand_items_start_in_one_turn() -> None:
    play = Play(fan({"range": 10_000})).turn()
    assert len(play.started) == 10_000


# ── fan-in ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_results_are_lists_in_the_order_of_the_items() -> None:
    """argo #934, #6805: the artifacts of a loop, taken by a later step as one input."""
    builder = fan().step("t", inputs="s.o", params={"all": "${{ steps.s.outputs.n }}"})
    play = Play(builder).turn()
    for index in (2, 0, 1):
        play.succeeds(f"s/{index}", n=index * 10).turn()
    (publish,) = play.asked(Publish)
    assert publish.parameters == {"n": [0, 10, 20]}
    members = decode(publish.collections["o"])
    assert [(member.item, member.phase) for member in members] == [
        ("x", "Succeeded"),
        ("y", "Succeeded"),
        ("z", "Succeeded"),
    ]
    assert [member.artifact for member in members] == [play.task(f"s/{index}").artifacts["o"] for index in range(3)]
    play.publishes().turn()
    assert play.started == ["t"]
    assert play.orders[0].inputs["o"] == play.task("s").artifacts["o"]
    assert play.orders[0].inputs["o"].type == "collection"
    assert play.orders[0].params == {"all": [0, 10, 20]}


def test_a_collection_has_the_same_bytes_whatever_the_order_of_ends() -> None:
    def played(order: tuple[int, ...]) -> bytes:
        play = Play(fan()).turn()
        for index in order:
            play.succeeds(f"s/{index}", n=1).turn()
        return play.asked(Publish)[0].collections["o"]

    assert played((0, 1, 2)) == played((2, 1, 0))
    assert json.loads(played((0, 1, 2)))["items"][0]["item"] == "x"


def test_tolerated_failures_leave_gaps() -> None:
    """kubeflow/pipelines #7330: one iteration fails, and what comes after goes on with the survivors."""
    play = Play(fan(maxFailed=1)).turn().succeeds("s/0", n=1).fails("s/1").succeeds("s/2", n=3).turn()
    (publish,) = play.asked(Publish)
    assert publish.parameters == {"n": [1, None, 3]}
    assert [member.phase for member in decode(publish.collections["o"])] == ["Succeeded", "Failed", "Succeeded"]
    assert decode(publish.collections["o"])[1].artifact is None
    assert play.publishes().turn().run.phase is Phase.SUCCEEDED


def test_too_many_failures_stop_the_rest_and_name_the_item() -> None:
    play = Play(fan(maxFailed="40%")).turn().fails("s/1", "OOMKilled", "out of memory").fails("s/0").turn()
    assert play.is_("s", Phase.FAILED, "ItemsFailed")
    assert play.task("s").message == "2 of 3 items failed, 1 may; item 0 (x): Error: exit code 1"
    assert play.stopped == ["s/2"]
    assert play.is_("s/2", Phase.CANCELLED, "ItemsFailed")


def test_an_item_is_tried_again_as_retry_says() -> None:
    play = Play(fan(retry={"limit": 1, "backoff": "5s"})).turn().fails("s/1").turn()
    assert play.is_("s/1", Phase.PENDING, "Error")
    assert play.turn(after=5).started == ["s/1#1"]


def test_items_that_were_edited_meanwhile_are_not_mistaken_for_the_old_ones() -> None:
    play = Play(fan().param("p", 1)).turn().succeeds("s/0", n=1).turn()
    play.plan = fan(("y", "x", "z")).plan()
    play.turn()
    assert play.is_("s", Phase.FAILED, "ItemsChanged")


def test_an_item_that_an_edit_took_away_while_it_ran_fails_in_words() -> None:
    play = Play(fan(retry={"limit": 2, "only": {"expression": "${{ last.exitCode == 1 }}"}})).turn().runs("s/2")
    play.plan = fan(("x",)).plan()
    play.fails("s/2").turn()
    assert play.is_("s", Phase.FAILED, "ItemsChanged")


def test_a_list_of_outputs_that_is_too_large_says_what_to_do() -> None:
    play = Play(fan()).turn()
    for index in range(3):
        play.succeeds(f"s/{index}", n="x" * 400_000)
    assert play.turn().is_("s", Phase.FAILED, "OutputInvalid")
    assert "pass it as an artifact" in play.task("s").message


def test_a_restart_in_the_middle_starts_nothing_twice() -> None:
    play = Play(fan()).turn().succeeds("s/0", n=1).runs("s/1").restarts().turn()
    assert play.started == []
    play.succeeds("s/1", n=2).succeeds("s/2", n=3).restarts().turn()
    assert play.asked(Publish)[0].parameters == {"n": [1, 2, 3]}
    assert play.publishes().restarts().turn().run.phase is Phase.SUCCEEDED


def test_a_tune_step_per_item() -> None:
    builder = a_workflow().tune("t", {"p": [1, 2]}, forEach=["a", "b"], trial={
        "container": {"image": "i", "command": ["${{ item }}", "${{ trial.params.p }}"]}
    })  # fmt: skip
    play = Play(builder).turn()
    assert play.started == ["t/0/0", "t/0/1", "t/1/0", "t/1/1"]
    assert [order.command for order in play.orders] == [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")]
    for index, trial in enumerate(play.started):
        play.succeeds(trial, acc=float(index))
    play.turn().publishes().turn()
    (publish,) = play.asked(Publish)
    assert [best["params"]["p"] for best in publish.parameters["best"]] == [2, 2]
    assert {"model", "trials"} == set(publish.collections)

"""The graph, and what is found before a Pod exists."""

from __future__ import annotations

import time

import pytest
from mlworkflow.core import graph, validate
from mlworkflow.core.errors import SpecError

from tests.builders import WorkflowBuilder, a_workflow


def edges(builder: WorkflowBuilder) -> dict[str, tuple[str, ...]]:
    return {name: tuple(needs) for name, needs in graph.build(builder.parsed()).main.needs.items()}


def problems_of(builder: WorkflowBuilder) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        builder.plan()
    return {problem.path: problem.message for problem in caught.value.problems}


_A = a_workflow().step("a-b", outputs="o n:number")


@pytest.mark.parametrize(
    "builder",
    [
        pytest.param(_A.step("c", inputs="a-b.o"), id="an input"),
        pytest.param(_A.step("c", after=["a-b"]), id="after"),
        pytest.param(_A.step("c", params={"x": "${{ steps.a_b.outputs.n }}"}), id="a parameter"),
        pytest.param(_A.step("c", ["x", "${{ steps['a-b'].outputs.n }}"]), id="a command"),
        pytest.param(_A.step("c", when="${{ steps.a_b.outputs.n > 1.0 }}"), id="a condition"),
        pytest.param(
            _A.step("c", env=[{"name": "X", "value": "${{ steps.a_b.phase }}"}]), id="an environment variable"
        ),
        pytest.param(_A.step("c", image="i:${{ steps.a_b.outputs.n }}"), id="an image"),
        pytest.param(_A.step("c", resources={"limits": {"cpu": "${{ steps.a_b.outputs.n }}"}}), id="resources"),
        pytest.param(
            _A.tune("c", {"p": [1]}, trial={"container": {"command": ["${{ steps.a_b.outputs.n }}"]}}),
            id="a trial's expression",
        ),
        pytest.param(_A.tune("c", {"p": ["${{ steps.a_b.outputs.n }}"]}), id="a space"),
        pytest.param(
            _A.step("c", inputs="a-b.o", after=["a-b"], params={"x": "${{ steps.a_b.outputs.n }}"}),
            id="all of them make one edge",
        ),
    ],
)
def test_a_step_waits_for_another_by(builder: WorkflowBuilder) -> None:
    assert edges(builder) == {"a-b": (), "c": ("a-b",)}


def test_a_reference_inside_a_string_makes_no_edge() -> None:
    assert edges(_A.step("c", params={"x": "${{ 'steps.a_b.outputs.n' }}"}))["c"] == ()


def test_the_order_is_that_of_the_file_where_nothing_else_says() -> None:
    builder = a_workflow().step("d", after=["b"]).step("c").step("b").step("a", after=["c"])
    assert graph.build(builder.parsed()).main.order == ("b", "d", "c", "a")


def test_a_cycle_is_shown_in_the_direction_of_time() -> None:
    builder = a_workflow().step("a", after=["c"]).step("b", after=["a"]).step("c", after=["b"]).step("x", after=["a"])
    assert problems_of(builder)["spec.steps"].endswith("a -> b -> c -> a")


def test_a_chain_of_10_000_steps_is_checked_fast() -> None:
    builder = a_workflow().step("s-0")
    steps = [*builder.steps, *({"name": f"s-{n}", "container": {}, "after": [f"s-{n - 1}"]} for n in range(1, 10_000))]
    workflow = WorkflowBuilder("w", steps=tuple(reversed(steps))).parsed()
    began = time.process_time()
    checked = validate.check(workflow)
    assert checked.main.order[:2] == ("s-0", "s-1")
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("builder", "path", "words"),
    [
        pytest.param(
            _A.step("c", inputs={"x": "z.o"}),
            "spec.steps[1].inputs.x.from",
            "there is no step 'z'",
            id="an input from nowhere",
        ),
        pytest.param(
            _A.step("c", inputs={"x": "a-b.q"}),
            "spec.steps[1].inputs.x.from",
            "no artifact 'q'; it has o",
            id="an output that is not there",
        ),
        pytest.param(
            _A.step("c", inputs={"x": "a-b.n"}),
            "spec.steps[1].inputs.x.from",
            "steps.a_b.outputs.n",
            id="a parameter taken as an artifact",
        ),
        pytest.param(
            _A.step("c", params={"x": "${{ steps.a_b.outputs.o }}"}),
            "spec.steps[1].params.x",
            "is an artifact",
            id="an artifact as a parameter",
        ),
        pytest.param(
            _A.step("c", params={"x": "${{ steps.a_b.outputs.q }}"}),
            "spec.steps[1].params.x",
            "no output parameter 'q'",
            id="no such parameter",
        ),
        pytest.param(_A.step("c", after=["z"]), "spec.steps[1].after[0]", "there is no step 'z'", id="after nothing"),
        pytest.param(_A.step("c", after=["c"]), "spec.steps[1].after[0]", "refers to itself", id="after itself"),
        pytest.param(
            _A.step("c", params={"x": "${{ steps.c.phase }}"}),
            "spec.steps[1].params.x",
            "refers to itself",
            id="an expression of itself",
        ),
        pytest.param(
            _A.step("c", ["${{ steps.a-b.phase }}"]),
            "spec.steps[1].container.command[0]",
            "CEL reads a dash as minus",
            id="a dash in a name",
        ),
        pytest.param(
            _A.step("c", ["${{ params.q }}"]),
            "spec.steps[1].container.command[0]",
            "spec.params has no 'q'",
            id="a parameter that is not there",
        ),
        pytest.param(
            _A.step("c", ["${{ parms.q }}"]),
            "spec.steps[1].container.command[0]",
            "unknown name 'parms'",
            id="a root that is not there",
        ),
        pytest.param(
            _A.step("c", ["${{ trial.number }}"]),
            "spec.steps[1].container.command[0]",
            "unknown name 'trial'",
            id="a trial outside a trial",
        ),
        pytest.param(
            _A.step("c", ["${{ 1 + }}"]), "spec.steps[1].container.command[0]", "not valid CEL", id="broken CEL"
        ),
        pytest.param(_A.step("c", ["${{ 1"]), "spec.steps[1].container.command[0]", "no closing", id="not closed"),
        pytest.param(
            _A.step("c", when="true"), "spec.steps[1].when", "write ${{ true }}", id="a condition without marks"
        ),
        pytest.param(
            _A.step("c", outputs="logs"), "spec.steps[1].outputs.logs", "are not free", id="a reserved output"
        ),
        pytest.param(
            _A.step("c", outputs={"a b": {}}), "spec.steps[1].outputs.a b", "letters, digits", id="a blank in a name"
        ),
        pytest.param(
            _A.step("c", outputs={"a\n": {}}),
            "spec.steps[1].outputs.a\n",
            "letters, digits",
            id="a line's end in a name",
        ),
        pytest.param(
            _A.step("c", params={"../x": 1}), "spec.steps[1].params.../x", "letters, digits", id="a path as a name"
        ),
        pytest.param(
            _A.kind("c", "train", {"estimator": "x"}),
            "spec.steps[1].inputs.train",
            "needs the input 'train'",
            id="a kind's input is missing",
        ),
        pytest.param(
            _A.step("c", labels={"x": "${{ params.y }}"}),
            "spec.steps[1].labels.x",
            "not evaluated here",
            id="an expression where none is evaluated",
        ),
    ],
)
def test_validation_finds(builder: WorkflowBuilder, path: str, words: str) -> None:
    assert words in problems_of(builder)[path]


@pytest.mark.parametrize(
    "builder",
    [
        pytest.param(
            _A.param("l", [1]).step("c", params={"x": "${{ params.l.map(q, q * 2) }}"}), id="a macro's own variable"
        ),
        pytest.param(
            _A.param("my-p", 1).step("c", ["${{ params.my_p }}"]), id="an underscore for a dash in a parameter"
        ),
        pytest.param(_A.step("c", ["${{ 'see params.nothing' }}"]), id="a parameter inside a string"),
        pytest.param(_A.step("c", ["${{ has(params.q) }}"]), id="a parameter that is asked for"),
        pytest.param(_A.step("c", outputs="logs:number"), id="a reserved name for a parameter"),
        pytest.param(
            _A.tune("c", {"p": [1]}, trial={"container": {"command": ["${{ trial.params.p }} ${{ trial.number }}"]}}),
            id="a trial's own names",
        ),
        pytest.param(
            _A.kind("p", "prep", {"source": {"sklearn": "iris"}, "target": "y"}).step(
                "c", ["${{ steps.p.outputs.anything }}"]
            ),
            id="open parameters",
        ),
    ],
)
def test_validation_lets_pass(builder: WorkflowBuilder) -> None:
    assert builder.plan().graph.main.order[0] == "a-b"


def test_all_problems_are_found_in_one_pass() -> None:
    builder = _A.step("c", ["${{ params.q }}", "${{ nope }}"], after=["z"], outputs="metrics").step(
        "d", inputs={"x": "c.q"}, when="1"
    )
    assert set(problems_of(builder)) == {
        "spec.steps[1].container.command[0]",
        "spec.steps[1].container.command[1]",
        "spec.steps[1].after[0]",
        "spec.steps[1].outputs.metrics",
        "spec.steps[2].inputs.x.from",
        "spec.steps[2].when",
    }

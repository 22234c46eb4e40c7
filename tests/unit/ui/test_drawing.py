"""Graphs of workflows, and how their nodes stand."""

from __future__ import annotations

from typing import Any

import msgspec
from mlworkflow.runs.run import Run
from mlworkflow.ui import listing
from mlworkflow.ui.drawing import drawing
from mlworkflow.ui.standing import news, run_state

Step = dict[str, Any]


def step(name: str, **more: Any) -> Step:
    return {"name": name, "container": {"image": "a", "command": ["true"]}, **more}


def resource(steps: list[Step], status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "w", "uid": "u", "namespace": "n"}
    spec = {"steps": steps, **spec}
    return {
        "apiVersion": "mlworkflow.io/v1alpha1",
        "kind": "MLWorkflow",
        "metadata": metadata,
        "spec": spec,
        "status": status or {},
    }


def test_an_edge_says_what_goes_along() -> None:
    train = step(
        "train", inputs={"train": {"from": "prep.train"}, "rest": {"from": "prep.test"}}, outputs={"model": {}}
    )
    steps = [
        step("prep", outputs={"train": {}, "test": {}, "rows": {"type": "integer"}}),
        train,
        step("tell", when="${{ steps.prep.outputs.rows > 3 }}", after=["train"]),
    ]
    graph = drawing(resource(steps)).graph
    edges = {(edge.source, edge.target): (edge.kind, edge.artifacts) for edge in graph.edges}
    assert edges == {
        ("prep", "train"): ("data", ["train", "test"]),
        ("prep", "tell"): ("value", ["rows"]),
        ("train", "tell"): ("order", []),
    }
    assert graph.nodes[2].when == "${{ steps.prep.outputs.rows > 3 }}"


def test_a_group_holds_its_steps_once_however_many_items_there_are() -> None:
    inner = [step("a", outputs={"x": {}}), step("b", inputs={"x": {"from": "a.x"}})]
    steps = [{"name": "folds", "forEach": [1, 2, 3], "steps": inner}]
    exits = {"always": [step("bye")]}
    found = drawing(resource(steps, onExit=exits))
    assert [(node.id, node.parent, node.role, node.has_inner, node.at) for node in found.graph.nodes] == [
        ("folds", "", "fan", True, ""),
        ("folds.a", "folds", "step", False, ""),
        ("folds.b", "folds", "step", False, ""),
        ("bye", "", "step", False, "always"),
    ]
    assert [(edge.source, edge.target) for edge in found.graph.edges] == [("folds.a", "folds.b")]
    tasks = [
        {"name": f"folds/{number}{inside}", "phase": phase, "attempts": 1}
        for number, phase in enumerate(("Succeeded", "Failed", "Running"))
        for inside in ("", ".a")
    ]
    run = Run("w", resource(steps, {"phase": "Running", "steps": [{"name": "folds", "phase": "Running", "progress": "2/3"}], "tasks": tasks}, onExit=exits))  # fmt: skip
    states = {state.id: state for state in run_state(run, drawing(run.resource), [], 0).nodes}
    assert states["folds"].counts == states["folds.a"].counts == {"Succeeded": 1, "Failed": 1, "Running": 1}
    assert (states["folds.a"].phase, states["folds.b"].phase) == ("Running", "Pending")
    page = listing.page(run, drawing(run.resource), listing.Wanted(node="folds.a"), 0, 10)
    assert [row.task for row in page.rows] == ["folds/0.a", "folds/1.a", "folds/2.a"]


def test_alike_steps_of_a_large_workflow_are_one_node() -> None:
    steps = [
        step("first"),
        *(step(f"s{number}", after=["first"]) for number in range(5000)),
        step("last", after=["s1"]),
    ]
    states = [{"name": each["name"], "phase": "Running" if each["name"] == "s7" else "Succeeded"} for each in steps]
    run = Run("w", resource(steps, {"phase": "Running", "steps": states}))
    found = drawing(run.resource)
    nodes = {node.id: (node.role, node.stands) for node in found.graph.nodes}
    assert nodes == {"first": ("step", 1), "s0": ("fold", 4999), "s1": ("step", 1), "last": ("step", 1)}
    state = run_state(run, found, [], 0)
    fold = next(node for node in state.nodes if node.id == "s0")
    assert (fold.phase, fold.counts) == ("Running", {"Succeeded": 4998, "Running": 1})
    assert len(msgspec.json.encode([found.graph, state])) < 5000
    page = listing.page(run, found, listing.Wanted(node="s0", phases=frozenset({"Running"})), 0, 10)
    assert ([row.task for row in page.rows], page.total, page.phases["Succeeded"]) == (["s7"], 1, 4998)


def test_tasks_that_a_status_does_not_list_are_counted() -> None:
    steps = [step("fan", forEach=list(range(900)))]
    listed = [{"name": f"fan/{number}", "phase": "Failed", "attempts": 1} for number in (3, 5)]
    status = {
        "phase": "Running",
        "steps": [{"name": "fan", "phase": "Running", "progress": "800/900"}],
        "tasks": listed,
    }
    run = Run("w", resource(steps, status))
    (state,) = run_state(run, drawing(run.resource), [], 0).nodes
    assert (state.counts, state.known) == ({"Failed": 2, "Succeeded": 798}, 900)
    page = listing.page(run, drawing(run.resource), listing.Wanted(node="fan"), 0, 10)
    assert ([row.task for row in page.rows], page.unlisted, page.total) == (["fan/3", "fan/5"], 798, 800)


def test_news_are_those_nodes_that_changed() -> None:
    steps = [step("a"), step("b")]

    def state(phase: str) -> Any:
        told = [{"name": "a", "phase": "Succeeded"}, {"name": "b", "phase": phase}]
        run = Run("w", resource(steps, {"phase": "Running", "steps": told}))
        return run_state(run, drawing(run.resource), ["cancel", "delete"], 0)

    before, now = state("Pending"), state("Running")
    assert [node.id for node in news(None, now).nodes] == ["a", "b"]
    assert [node.id for node in news(before, now).nodes] == ["b"]
    assert now.may == ["cancel"]


def test_a_spec_that_is_not_sound_is_drawn_as_far_as_it_goes() -> None:
    found = drawing(resource([step("a", after=["nobody"]), step("b")]))
    assert [node.id for node in found.graph.nodes] == ["a", "b"]
    assert "nobody" in found.problems[0].message


def test_items_that_began_together_stand_on_the_time_line_in_their_order() -> None:
    at = "2026-01-01T00:00:00Z"
    tasks = [{"name": f"fan/{number}", "phase": "Running", "startedAt": at} for number in range(12)]
    steps = [{"name": "fan", "forEach": list(range(12)), "container": {"command": ["x"]}}]
    status = {"phase": "Running", "startedAt": at, "steps": [{"name": "fan", "phase": "Running", "progress": "0/12"}], "tasks": tasks[::-1]}  # fmt: skip
    run = Run("w", resource(steps, status))
    assert listing.timeline(run, listing.in_order(run)).tasks == [f"fan/{number}" for number in range(12)]

"""Searches, runs beside each other, and models by name."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.component.page.conftest import Page


def resource(x: int) -> str:
    script = 'for i in 1 2; do echo "{\\"name\\": \\"score\\", \\"value\\": $((MLWF_PARAM_A * i)), \\"step\\": $i}" >> $MLWF_METRICS; done'
    tune = {
        "metric": {"name": "score", "goal": "maximize"},
        "space": {"a": {"int": {"min": 1, "max": 3}}, "b": {"choice": ["x"]}},
        "fixed": {"c": 7},
        "trials": {"max": 3, "parallel": 3},
        "step": {"container": {"image": "none", "command": ["sh", "-c", script]}},
    }
    leave = {"image": "none", "command": ["sh", "-c", "echo ${{ params.x }} > $MLWF_OUT/model"]}
    steps: list[dict[str, Any]] = [
        {"name": "search", "tune": tune},
        {"name": "train", "container": leave, "outputs": {"model": {}}},
    ]
    spec = {"params": {"x": x, "same": 1}, "steps": steps}
    return json.dumps(
        {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "metadata": {"name": "searched"}, "spec": spec}
    )


@pytest.fixture(scope="module")
def runs(page: Page) -> list[str]:
    """Two, which differ in a parameter and in what they left."""
    found = [page.submit(resource(x)) for x in (1, 2)]
    assert [page.ended(run) for run in found] == ["Succeeded", "Succeeded"]
    return found


def test_a_search_is_columns_of_its_trials(page: Page, runs: list[str]) -> None:
    study = page.get("run/study", run=runs[0], task="search")
    assert (study["algorithm"], study["objectives"]) == ("grid", [{"name": "score", "goal": "maximize"}])
    assert study["number"] == [0, 1, 2]
    assert sorted(zip(study["params"]["a"], study["values"]["score"], strict=True)) == [(1, 2.0), (2, 4.0), (3, 6.0)]
    assert study["params"]["b"] == ["x"] * 3
    best = study["params"]["a"].index(3)
    assert (study["best"], study["isPareto"][best], sum(study["isPareto"])) == (best, True, 1)
    assert study["curves"]["score"][str(best)] == [[1, 3.0], [2, 6.0]]
    assert study["phase"] == ["Succeeded"] * 3
    kinds = {
        dimension["name"]: (dimension["kind"], dimension["low"], dimension["high"]) for dimension in study["space"]
    }
    assert kinds == {"a": ("int", 1.0, 3.0), "b": ("choice", None, None), "c": ("fixed", None, None)}
    node = next(node for node in page.get("run", run=runs[0])["state"]["nodes"] if node["id"] == "search")
    assert (node["counts"], node["known"]) == ({"Succeeded": 3}, 3)


def test_runs_beside_each_other(page: Page, runs: list[str]) -> None:
    names = [f"local/{run}" for run in runs]
    found = page.fetch(f"/api/v1/compare?run={names[0]}&run={names[1]}").json
    rows = {(row["kind"], row["where"]): row["values"] for row in found["rows"]}
    assert rows["param", "x"] == [1, 2]
    assert ("param", "same") not in rows
    assert len(set(rows["output", "train.model"])) == 2
    assert all(row["differs"] for row in found["rows"])
    series = {(each["task"], each["name"]): each["runs"] for each in found["series"]}
    assert len(series["search/0", "score"]) == 2
    everything = page.fetch(f"/api/v1/compare?run={names[0]}&run={names[1]}&all=1").json["rows"]
    assert {"kind": "param", "where": "same", "values": [1, 1], "differs": False} in everything
    assert page.fetch(f"/api/v1/compare?run={names[0]}").status == 400


def test_a_model_gets_a_name_and_its_alias_moves_and_comes_back(page: Page, runs: list[str]) -> None:
    wish = {"namespace": "local", "name": "mine", "task": "train", "message": "better"}
    assert page.post("model/promote", {**wish, "run": runs[0]}).json["message"] == "mine@champion is version 1 now"
    refused = page.post("model/promote", {**wish, "run": runs[1], "expect": "none"})
    assert refused.status >= 400
    assert page.post("model/promote", {**wish, "run": runs[1], "expect": "1"}).status == 200
    (row,) = page.get("models")["models"]
    assert (row["name"], row["versions"], row["champion"]["number"]) == ("mine", 2, 2)
    assert page.post("model/rollback", {"namespace": "local", "name": "mine"}).status == 200
    model = page.get("model", name="mine")
    assert model["aliases"] == {"champion": 1}
    assert [(move["version"], move["isRollback"]) for move in model["moves"]] == [(1, True), (2, False), (1, False)]
    deadline = time.monotonic() + 30
    while (made := [each["made"]["run"] for each in model["versions"]]) != [
        runs[1],
        runs[0],
    ]:  # once the list of runs knows them
        assert time.monotonic() < deadline, made
        model = page.get("model", name="mine")
    assert page.ask("model", name="nobody").status == 404
    assert page.post("model/promote", {"namespace": "local", "name": "mine"}).status == 400
    assert page.get("datasets") == {"datasets": []}

"""A run from its text to its end and beyond, as the page has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import series_key
from mlworkflow.store.signing import BlobSigner

from tests.component.page.conftest import Page

TEXT = r"""
apiVersion: mlworkflow.io/v1alpha1
kind: MLWorkflow
metadata: {name: tiny}
spec:
  params: {word: here, note: plain}
  steps:
    - name: hello
      container:
        image: none
        command: [sh, -c, 'echo ${{ params.word }}; for i in 1 2 3; do echo "{\"name\": \"loss\", \"value\": $i, \"step\": $i}" >> $MLWF_METRICS; done; echo data > $MLWF_OUT/data']
      outputs: {data: {}}
    - name: fan
      forEach: [1, 2, 3]
      maxFailed: 1
      inputs: {data: {from: hello.data}}
      container: {image: none, command: [sh, -c, 'test ${{ item }} != 2']}
    - name: ship
      after: [hello]
      approve: {message: "Ship it?", inputs: {share: {type: number, default: 0.5, description: of all}}}
    - name: last
      after: [ship]
      container: {image: none, command: [sh, -c, 'echo the end']}
"""


@pytest.fixture(scope="module")
def run(page: Page) -> Iterator[str]:
    """It waits for a decision when everything else has ended."""
    id_ = page.submit(TEXT, params={"word": "there"})
    page.until(id_, lambda row: row["waiting"] == 1)
    with page.events("run/events", run=id_) as events:
        for name, state in events:
            assert name == "state"
            if any(node["id"] == "fan" and node["phase"] == "Succeeded" for node in state["nodes"]):
                break
    yield id_
    page.post("run/cancel", {"namespace": "local", "run": id_})
    page.ended(id_)


def test_the_list_finds_it_by_its_words_and_counts_phases(page: Page, run: str) -> None:
    found = page.get("runs", text="TINY word=there")
    assert [row["id"] for row in found["rows"]] == [run]
    assert found["rows"][0]["params"] == {"word": "there", "note": "plain"}
    assert found["phases"] == {"Running": 1}
    assert page.get("runs", text="nowhere")["rows"] == []
    assert page.get("runs", phase="Failed,Succeeded", text="tiny")["total"] == 0


def test_the_graph_has_each_step_once_and_says_what_goes_along(page: Page, run: str) -> None:
    answer = page.get("run", run=run)
    assert [(node["id"], node["role"]) for node in answer["graph"]["nodes"]] == [
        ("hello", "step"),
        ("fan", "fan"),
        ("ship", "approval"),
        ("last", "step"),
    ]
    edges = {(edge["source"], edge["target"]): (edge["kind"], edge["artifacts"]) for edge in answer["graph"]["edges"]}
    assert edges == {
        ("hello", "fan"): ("data", ["data"]),
        ("hello", "ship"): ("order", []),
        ("ship", "last"): ("order", []),
    }
    states = {node["id"]: node for node in answer["state"]["nodes"]}
    assert states["fan"]["counts"] == {"Succeeded": 2, "Failed": 1}
    assert states["ship"]["waits"]
    assert answer["state"]["waiting"] == ["ship"]
    assert [task["task"] for task in answer["failures"]] == ["fan/1"]
    assert "kind: MLWorkflow" in answer["yaml"]


def test_tasks_of_a_fan_are_paged(page: Page, run: str) -> None:
    first = page.get("run/tasks", run=run, node="fan", limit=2)
    assert ([row["task"] for row in first["rows"]], first["total"]) == (["fan/0", "fan/1"], 3)
    second = page.get("run/tasks", run=run, node="fan", limit=2, cursor=first["next"])
    assert ([row["task"] for row in second["rows"]], second["next"]) == (["fan/2"], "")
    failed = page.get("run/tasks", run=run, phase="Failed")
    assert [row["task"] for row in failed["rows"]] == ["fan/1"]


def test_the_time_line_has_what_runs_itself(page: Page, run: str) -> None:
    line = page.get("run/timeline", run=run)
    assert sorted(line["tasks"]) == ["fan/0", "fan/1", "fan/2", "hello", "ship"]
    assert line["finished"][line["tasks"].index("ship")] is None


def test_a_task_tells_what_it_had_and_left(page: Page, run: str) -> None:
    hello = page.get("run/task", run=run, task="hello")
    assert (hello["attempts"], hello["exitCode"], hello["metrics"], hello["series"]) == (
        [0],
        0,
        {"loss": 3.0},
        ["loss"],
    )
    data = hello["outputs"][0]
    item = page.get("run/task", run=run, task="fan/1")
    assert (item["inputs"][0]["digest"], item["inputs"][0]["size"]) == (data["digest"], data["size"])
    assert item["inputs"][0]["sources"] == ["hello.data"]
    assert item["row"]["reason"] == "Error"
    assert page.get("run/task", run=run, task="last")["waitsFor"] == ["ship"]
    assert page.ask("run/task", run=run, task="last", attempt=3).status == 400
    assert page.ask("run/task", run=run, task="nothing").status == 409


def test_metrics_and_logs_come_whole_and_as_they_are_made(page: Page, run: str) -> None:
    metrics = page.get("run/metrics", run=run, task="hello")
    assert metrics["series"] == [{"name": "loss", "points": [[1, 1.0], [2, 2.0], [3, 3.0]], "total": 3}]
    with page.events("run/metrics/events", run=run, task="hello") as events:
        assert list(events) == [("metrics", metrics), ("end", {})]
    key = series_key("local", page.get("run", run=run)["row"]["uid"], "hello", 0)
    kept = DirectoryStore(page.home / "store", BlobSigner(b"x" * 32)).read_bytes(
        key
    )  # as in a cluster, where the page reads it
    assert [(point["value"], point["step"]) for point in json.loads(kept)] == [(1, 1), (2, 2), (3, 3)]
    assert page.ask("run/log", run=run, task="hello").body == b"there\n"
    cut = page.ask("run/log", run=run, task="hello", tail=3)
    assert (cut.body, cut.headers["x-mlwf-truncated"]) == (b"re\n", "true")
    with page.events("run/log/events", run=run, task="hello") as events:
        assert list(events) == [("log", {"text": "there\n", "isReset": True}), ("end", {})]


def test_artifacts_and_their_lineage(page: Page, run: str) -> None:
    (data,) = page.get("run/artifacts", run=run)["rows"]
    assert (data["task"], data["name"]) == ("hello", "data")
    by_name = page.get("lineage", run=run, task="hello", output="data")
    assert by_name == page.get("lineage", digest=data["digest"][:20])
    assert {step["task"] for step in by_name["steps"]} >= {"hello", "fan/0"}
    assert page.ask("lineage").status == 400


def test_a_decision_is_asked_for_and_taken(page: Page) -> None:
    """And what follows is told while it happens; what has ended can go on, be stopped and be deleted."""
    run = page.submit(TEXT.replace("name: tiny", "name: decided"))
    page.until(run, lambda row: row["waiting"] == 1)
    asked = page.get("run/task", run=run, task="ship")["approval"]
    assert [(question["name"], question["default"]) for question in asked["questions"]] == [("share", 0.5)]
    decision = {"namespace": "local", "run": run, "task": "ship", "approved": True, "inputs": {"share": "much"}}
    assert page.post("run/approve", decision).status == 400
    with page.events("run/events", run=run) as events:
        assert page.post("run/approve", {**decision, "inputs": {"share": 0.25}}).status == 200
        states = list(_until(events, lambda state: state["phase"] == "Succeeded"))
    assert any(node["id"] == "last" and node["phase"] == "Succeeded" for state in states for node in state["nodes"])
    ship = page.get("run/task", run=run, task="ship")
    assert (ship["parameters"]["share"], ship["decision"]["approved"]) == (0.25, True)
    assert page.post("run/cancel", {"namespace": "local", "run": run}).status == 409

    assert page.post("run/retry", {"namespace": "local", "run": run}).status == 400  # nothing has changed
    assert page.post("run/retry", {"namespace": "local", "run": run, "steps": ["last"]}).status == 200
    page.until(run, lambda row: page.get("run/task", run=run, task="last")["attempts"] == [0, 1])
    assert page.ended(run) == "Succeeded"
    assert page.get("run/task", run=run, task="last", attempt=0)["attempt"] == 0

    assert page.post("run/delete", {"namespace": "local", "run": run}).status == 200
    page.until(run, lambda row: row["isArchived"] and not page.get("runs", text="decided")["total"])
    assert run in [row["id"] for row in page.get("runs", archived=1)["rows"]]
    assert page.post("run/retry", {"namespace": "local", "run": run}).status == 409


def test_a_text_that_is_not_sound_is_told_line_by_line(page: Page) -> None:
    bad = TEXT.replace("hello.data", "hello.date")
    said = page.post("submit", {"text": bad})
    assert said.status == 422
    (finding,) = said.json["findings"]
    assert (finding["path"], finding["line"]) == ("spec.steps[1].inputs.data.from", 16)
    linted = page.post("lint", {"text": bad}).json
    assert (linted["isSound"], linted["findings"][0]["message"]) == (False, finding["message"])
    good = page.post("lint", {"text": TEXT}).json
    assert (good["isSound"], good["workflows"], good["params"]["word"]) == (True, ["tiny"], "here")
    assert [node["id"] for node in good["graph"]["nodes"]] == ["hello", "fan", "ship", "last"]
    assert not page.post("lint", {"text": "a: [1"}).json["isSound"]
    assert page.post("submit", {"text": TEXT, "params": {"nope": 1}}).status == 400


def test_the_editor_has_a_schema_and_something_to_begin_with(page: Page) -> None:
    assert page.get("schema")["title"] == "MLWorkflow"
    names = [example["name"] for example in page.get("examples")["examples"]]
    assert "digits" in names


def _until(events: Iterator[tuple[str, Any]], is_so: Any) -> Iterator[Any]:
    for name, state in events:
        assert name == "state", state
        yield state
        if is_so(state):
            return

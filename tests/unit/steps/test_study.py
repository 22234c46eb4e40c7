"""`study`, by what it leaves: a page that shows the search, its numbers, and a table with types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pages import no_network

METRICS = [{"name": "accuracy", "goal": "maximize"}, {"name": "size", "goal": "minimize"}]
SPACE = {
    "depth": {"int": {"min": 1, "max": 9}},
    "rate": {"float": {"min": 1e-4, "max": 1, "log": True}, "when": {"kind": [None, "a<b>"]}},
    "kind": {"choice": ["a<b>", None, 1]},
}


def trial(number: int, **fields: Any) -> dict[str, Any]:
    """A trial whose accuracy is decided by its depth; two run at once, each for 10 s."""
    params: dict[str, Any] = {"depth": 1 + number * 5 % 9, "kind": SPACE["kind"]["choice"][number % 3], "cv": 3}  # type: ignore[index]
    if params["kind"] != 1:
        params["rate"] = 10.0 ** -(1 + number % 3)
    second = number // 2 * 10
    return {
        "number": number, "phase": "Succeeded", "reason": "", "message": "", "params": params,
        "values": {"accuracy": params["depth"] / 10 + number * 1e-6, "size": 5.0 * params["depth"] + number % 2},
        "started": f"2026-11-30T12:{second // 60:02}:{second % 60:02}.000Z", "finished": "2026-11-30T13:00:00.000Z", "seconds": 10.0,
        "attempts": 1, "cached": False, "artifacts": {"model": f"sha256:{number:064x}"}, **fields,
    }  # fmt: skip


def document(trials: list[dict[str, Any]], objectives: list[dict[str, str]] = METRICS, **fields: Any) -> dict[str, Any]:
    return {
        "format": 1, "workflow": "w<b>&", "step": "tune", "space": SPACE, "fixed": {"cv": 3}, "objectives": objectives, "algorithm": {"nsga2": {"seed": 1}},
        "budget": {"max": 30, "parallel": 2}, "started": "2026-11-30T12:00:00.000Z", "finished": "2026-11-30T12:03:00.000Z", "ended": "",
        "best": 7, "pareto": [0, 7], "trials": trials, **fields,
    }  # fmt: skip


FAILED = {
    "phase": "Failed",
    "reason": "OOMKilled",
    "message": "it used\nmore than 512Mi",
    "values": {},
    "artifacts": {},
}


@pytest.fixture(scope="session")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("study") / "study.json"
    trials = [trial(number, **(FAILED if number == 5 else {})) for number in range(30)]
    file.write_text(json.dumps(document(trials)))
    return file


@pytest.fixture(scope="session")
def done(run_step: Any, study_file: Path) -> Any:
    return run_step("study", {}, {"study": study_file}, PYTHONHASHSEED="1")


def test_the_page_shows_the_search_and_needs_no_network(done: Any) -> None:
    assert done.code == 0, done.log
    page = done.output("report").read_text()
    no_network(page)
    for title in (
        "History",
        "What matters",
        "Pareto front",
        "How parameters go together",
        "One parameter at a time",
        "Time line",
    ):
        assert f"<h2>{title}</h2>" in page
    assert "w&lt;b&gt;&amp; / tune" in page
    assert "<td>OOMKilled</td><td>1</td><td>5</td><td>more than 512Mi</td>" in page
    assert page.count("M2") > 0
    assert "trial 7: accuracy 0.90001" in page


def test_its_numbers_are_those_of_the_trials(done: Any) -> None:
    facts = json.loads(done.output("facts").read_text())
    assert facts["counts"] == {"Succeeded": 29, "Failed": 1}
    assert facts["best"]["values"]["accuracy"] == pytest.approx(0.900007)
    assert [step["trial"] for step in facts["best_so_far"]["accuracy"]] == [0, 1, 3, 7, 16, 25]
    assert [step["trial"] for step in facts["best_so_far"]["size"]] == [0]
    assert facts["seconds"] == {"wall": 150.0, "trials": 300.0}
    assert {(lane["trial"], lane["row"], lane["start"]) for lane in facts["time_line"][:3]} == {(0, 0, 0.0), (1, 1, 0.0), (2, 0, 10.0)}  # fmt: skip
    for metric in ("accuracy", "size"):
        first, *others = facts["importances"][metric]
        assert first["param"] == "depth"
        assert first["share"] > 0.9
        assert sum(entry["share"] for entry in [first, *others]) == pytest.approx(1, abs=1e-3)


def test_the_table_has_all_that_is_known_with_types(done: Any) -> None:
    table = pd.read_parquet(done.output("table"))
    assert len(table) == 30
    assert {name: str(table[name].dtype) for name in ("params_depth", "params_rate", "params_kind", "value_accuracy")} == {
        "params_depth": "Int64", "params_rate": "Float64", "params_kind": "string", "value_accuracy": "Float64",
    }  # fmt: skip
    assert list(table["params_kind"][:3].fillna("-")) == ['"a<b>"', "-", "1"]
    assert table["params_rate"].isna().sum() == 10
    assert table["started"][2] == pd.Timestamp("2026-11-30T12:00:10Z")
    assert table["artifact_model"][3] == f"sha256:{3:064x}"
    assert (table["reason"][5], table["value_size"].isna().sum()) == ("OOMKilled", 1)
    assert len(pd.read_csv(done.output("csv"))) == 30


def test_the_same_search_gives_the_same_bytes(run_step: Any, done: Any, study_file: Path) -> None:
    again = run_step("study", {}, {"study": study_file}, PYTHONHASHSEED="2", TZ="Asia/Tokyo")
    for name in ("report", "facts", "table", "csv"):
        assert again.digests(name) == done.digests(name)


@pytest.mark.parametrize(
    "trials",
    [
        [trial(7)],
        [trial(7), *(trial(number, **FAILED) for number in range(8, 12))],
        [trial(number, values={"accuracy": 0.5}, seconds=0.0, cached=True) for number in range(12)],
        [trial(number, values={"accuracy": 10.0 ** (number % 6)}, started="", seconds=None) for number in range(12)],
        [trial(number, params={}) for number in range(12)],
    ],
    ids=[
        "one trial",
        "one that succeeded",
        "all alike and from the cache",
        "over six powers of ten",
        "of another space",
    ],
)
def test_odd_searches_have_a_page_too(trials: list[dict[str, Any]], tmp_path: Path) -> None:
    from mlworkflow_steps.data.trials import Study, table
    from mlworkflow_steps.report.study_facts import study_facts
    from mlworkflow_steps.report.study_page import study_page

    file = tmp_path / "study.json"
    file.write_text(json.dumps(document(trials, METRICS[:1], pareto=[], ended="trials.timeout: 60s are over")))
    study = Study.read(file)
    assert len(table(study)) == len(trials)
    page = study_page(json.loads(json.dumps(study_facts(study), allow_nan=False)), "w / tune", {})
    no_network(page)
    assert "Ended early" in page
    assert "NaN" not in page
    assert "nan" not in page


def test_trials_that_were_stopped_are_shown_on_the_way_with_what_that_spared(tmp_path: Path) -> None:
    from mlworkflow_steps.data.trials import Study
    from mlworkflow_steps.report.study_facts import study_facts
    from mlworkflow_steps.report.study_page import study_page

    whole = [[step, 0.1 * step] for step in range(10)]
    pruned = {
        "phase": "Cancelled",
        "reason": "Pruned",
        "values": {},
        "artifacts": {},
        "curve": [[0, 0.0], [1, None], [4, 0.1]],
    }
    file = tmp_path / "study.json"
    trials = [trial(0, curve=whole), trial(1, **pruned), trial(7, curve=whole)]
    file.write_text(json.dumps(document(trials, METRICS[:1], pareto=[])))
    facts = study_facts(Study.read(file))
    assert (facts["counts"], facts["spared"]) == ({"Succeeded": 2, "Pruned": 1}, pytest.approx(5 / 30, abs=1e-4))
    page = study_page(json.loads(json.dumps(facts, allow_nan=False)), "w / tune", {})
    no_network(page)
    assert "Stopping them spared 17% of the steps." in page
    assert page.count('class="line pruned"') == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("trial,phase\n0,Succeeded\n", "is not what a tune step leaves: inputs: {study: {from: <tune step>.study}}"),
        ("[]", "is not what a tune step leaves"),
        ('{"format": 2}', "has the format 2; this image knows 1"),
    ],
)
def test_what_is_no_study_is_named(content: str, words: str, in_process: Any, tmp_path: Path) -> None:
    file = tmp_path / "given"
    file.write_text(content)
    failure = in_process("study", {}, {"study": file})
    assert (failure.reason, words in failure.message) == ("InputInvalid", True), failure.message

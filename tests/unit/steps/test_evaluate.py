"""`evaluate`: the numbers, the gate, and a report that refers to nothing outside itself and cannot be injected into."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pages import no_network


@pytest.fixture(scope="session")
def evaluated(run_step: Any, digits: Any, forest: Any) -> Any:
    inputs = {"model": forest.output("model"), "test": digits.output("test")}
    return run_step("evaluate", {"gate": {"accuracy": {"min": 0.93}}}, inputs, PYTHONHASHSEED="1")


def test_the_digits_example_reaches_93_percent(evaluated: Any) -> None:
    assert evaluated.code == 0, evaluated.log
    params = evaluated.params
    assert params["passed"] is True
    assert params["accuracy"] >= 0.93
    assert params["roc_auc"] > 0.99
    assert set(params) - {"passed"} == {metric["name"] for metric in evaluated.metrics} - {
        "latency_ms",
        "latency_p95_ms",
    }
    assert all(metric["value"] > 0 for metric in evaluated.metrics if metric["name"].startswith("latency"))


def test_the_scores_are_the_reports_json_twin(evaluated: Any) -> None:
    scores = json.loads(evaluated.output("scores").read_text())
    assert scores["metrics"]["accuracy"] == evaluated.params["accuracy"]
    assert scores["baseline"]["accuracy"] == pytest.approx(0.1, abs=0.02)
    counts = scores["confusion"]["counts"]
    assert sum(map(sum, counts)) == 540
    assert sum(counts[i][i] for i in range(10)) / 540 == pytest.approx(scores["metrics"]["accuracy"])
    (check,) = scores["gate"]
    assert check | {"metric": "accuracy", "bound": "min", "limit": 0.93, "passed": True} == check
    assert check["value"] == evaluated.params["accuracy"]
    low, high = scores["intervals"]["accuracy"]
    assert 0.9 < low < check["value"] < high < 1
    assert scores["champion"] is None
    assert len(scores["classes"]) == 10


def test_the_report_is_one_file_with_nothing_from_outside_and_nothing_injected(evaluated: Any) -> None:
    text = evaluated.output("report").read_text()
    no_network(text)
    assert "w&lt;b&gt;&amp; / evaluate" in text


def test_same_inputs_give_the_same_report_and_a_failed_gate_keeps_it(
    run_step: Any, digits: Any, forest: Any, evaluated: Any
) -> None:
    inputs = {"model": forest.output("model"), "test": digits.output("test")}
    again = run_step("evaluate", {"gate": {"accuracy": {"min": 0.93}}}, inputs, PYTHONHASHSEED="2", TZ="Asia/Tokyo")
    assert again.digests("report") == evaluated.digests("report")
    assert again.digests("scores") == evaluated.digests("scores")
    failed = run_step("evaluate", {"gate": {"accuracy": {"min": 0.999}, "log_loss": {"max": 5}}}, inputs)
    assert failed.code == 1
    assert failed.failure["reason"] == "GateFailed"
    assert re.fullmatch(r"accuracy 0\.9\d+ is below the gate's minimum 0\.999", failed.failure["message"])
    assert failed.params["passed"] is False
    assert "Gate failed" in failed.output("report").read_text()
    assert "matplotlib" not in failed.log


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"gate": {"acuracy": {"min": 0.9}}}, "MetricUnknown", "evaluate.gate: 'acuracy' is no metric of a classification; known are: accuracy, balanced_accuracy"),
        ({"gate": {"accuracy": {"slices": {"min": 0.5}}}}, "SpecInvalid", "evaluate.slices: is missing: the gate has rules for slices"),
        ({"slices": ["hour"]}, "ColumnNotFound", "evaluate.slices[0]: the table has no column 'hour'"),
        ({"slices": "hour"}, "SpecInvalid", "evaluate.slices: must be a list of columns"),
        ({"time": "when"}, "ColumnNotFound", "evaluate.time: the table has no column 'when'"),
        ({"confidence": 1}, "SpecInvalid", "evaluate.confidence: is a share from 0.5 to below 1, not 1"),
        ({"gate": {"recall": {"min": 0.5}}}, "MetricUnknown", "evaluate.gate: 'recall' cannot be computed here: it needs two classes"),
        ({"metrics": ["rmse"]}, "MetricUnknown", "evaluate.metrics: 'rmse'"),
        ({"target": "digit"}, "ColumnNotFound", "evaluate.target: the table has no column 'digit'"),
    ],
)  # fmt: skip
def test_mistakes_are_named(
    spec: dict[str, Any], reason: str, words: str, in_process: Any, digits: Any, forest: Any
) -> None:
    failure = in_process("evaluate", spec, {"model": forest.output("model"), "test": digits.output("test")})
    assert (failure.reason, words in failure.message) == (reason, True), failure.message


def test_a_table_without_the_models_columns_is_named(in_process: Any, forest: Any, tmp_path: Path, digits: Any) -> None:
    file = tmp_path / "short.parquet"
    pd.read_parquet(digits.output("test")).drop(columns=["pixel_0_0", "pixel_3_4"]).to_parquet(file)
    failure = in_process("evaluate", {}, {"model": forest.output("model"), "test": file})
    assert (failure.reason, failure.message) == (
        "ColumnNotFound",
        "the table lacks columns that the model needs: pixel_0_0, pixel_3_4",
    )


def test_binary_text_classes_and_a_user_made_csv(run_step: Any, tmp_path: Path) -> None:
    """What another container leaves may be CSV, and classes may be any text, markup too."""
    rows = "".join(f"{i % 17},{'<script>' if i % 17 > 8 else 'b&w'}\n" for i in range(170))
    file = tmp_path / "t.csv"
    file.write_text("x,label\n" + rows)
    trained = run_step(
        "train", {"estimator": "sklearn.linear_model.LogisticRegression", "target": "label"}, {"train": file}
    )
    assert trained.code == 0, trained.log
    done = run_step("evaluate", {}, {"model": trained.output("model"), "test": file})
    assert done.code == 0, done.log
    assert done.params["accuracy"] == 1.0
    text = done.output("report").read_text()
    assert "<script>" not in text
    assert "ROC curve" in text


@pytest.fixture(scope="module")
def bikes(run_here: Any, bike_file: Path) -> Any:
    """By split, `random` or `time`: the prepared table, and a model of so many trees."""
    prepared = {
        name: run_here("prep", {"source": {"url": str(bike_file)}, "target": "demand", "split": split, "columns": {"exclude": ["days"]}})
        for name, split in (("random", {"test": 0.3}), ("time", {"test": 0.3, "time": True}))
    }  # fmt: skip

    @functools.cache
    def model(split: str, trees: int) -> Path:
        encode = {"columns": [{"use": "sklearn.preprocessing.OrdinalEncoder", "select": ["dayOfWeek"]}]}
        boost = {"use": "sklearn.ensemble.HistGradientBoostingRegressor", "params": {"max_iter": trees}}
        trained = run_here("train", {"estimator": {"pipeline": [encode, boost]}}, {"train": prepared[split].output("train")})  # fmt: skip
        assert trained.code == 0, trained.log
        return Path(trained.output("model"))

    return lambda split, trees: {"model": model(split, trees), "test": prepared[split].output("test")}


def test_bikes_are_harder_to_predict_by_time_than_at_random(run_here: Any, bikes: Any) -> None:
    rmse = {}
    for split in ("random", "time"):
        done = run_here("evaluate", {"slices": ["workingday"]}, bikes(split, 200))
        assert done.code == 0, done.log
        scores = json.loads(done.output("scores").read_text())
        rmse[split] = done.params["rmse"]
        assert rmse[split] < 0.5 * scores["baseline"]["rmse"]
        assert "Predicted and true" in done.output("report").read_text()
    assert rmse["random"] <= 50
    assert rmse["time"] > 1.2 * rmse["random"]


def test_a_worse_model_is_rejected_beside_the_champion_and_the_slices_are_named(run_here: Any, bikes: Any) -> None:
    gate = {"rmse": {"minDelta": 0, "slices": {"minDelta": 0}}, "mae": {"max": 1e6}}
    new, old = bikes("random", 20), bikes("random", 200)
    spec = {"gate": gate, "slices": ["workingday"]}
    failed = run_here("evaluate", spec, new | {"champion": old["model"]})
    assert (failed.code, failed.failure["reason"], failed.params["passed"]) == (1, "GateFailed", False), failed.log
    said = failed.failure["message"].split("; ")
    assert [words.partition(" rmse ")[0].partition(" (")[0] for words in said[1:]] == [
        "in slice workingday=0",
        "in slice workingday=1",
    ]
    assert re.fullmatch(
        r"rmse [\d.]+ is [\d.]+ worse than the champion's [\d.]+, and the gate's minDelta is 0", said[0]
    )
    scores = json.loads(failed.output("scores").read_text())
    assert scores["champion"]["metrics"]["rmse"] < scores["metrics"]["rmse"]
    assert scores["champion"]["intervals"]["rmse"][1] < 0
    assert "Beside the champion" in failed.output("report").read_text()
    passed = run_here("evaluate", spec, old | {"champion": new["model"]})
    assert passed.code == 0, passed.log
    alone = run_here("evaluate", spec, new)
    assert alone.code == 0, alone.log
    assert "there is no champion" in alone.output("report").read_text()


def test_a_champion_of_another_kind_is_refused_by_its_name(in_process: Any, bikes: Any, forest: Any) -> None:
    inputs = bikes("random", 20) | {"champion": forest.output("model")}
    failure = in_process("evaluate", {}, inputs)
    assert failure.reason == "ColumnNotFound"
    assert failure.message.startswith(
        "the input 'champion' cannot be compared: the table lacks columns that the model needs: pixel_0_0"
    )

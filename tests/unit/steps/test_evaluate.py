"""`evaluate`: the numbers, the gate, and a report that refers to nothing outside itself and cannot be injected into."""

from __future__ import annotations

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
    assert set(params) - {"passed"} == {metric["name"] for metric in evaluated.metrics}


def test_the_scores_are_the_reports_json_twin(evaluated: Any) -> None:
    scores = json.loads(evaluated.output("scores").read_text())
    assert scores["metrics"]["accuracy"] == evaluated.params["accuracy"]
    assert scores["baseline"]["accuracy"] == pytest.approx(0.1, abs=0.02)
    counts = scores["confusion"]["counts"]
    assert sum(map(sum, counts)) == 540
    assert sum(counts[i][i] for i in range(10)) / 540 == pytest.approx(scores["metrics"]["accuracy"])
    assert scores["gate"] == [
        {"metric": "accuracy", "bound": "min", "limit": 0.93, "value": evaluated.params["accuracy"], "passed": True}
    ]
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


def test_a_gates_message_never_shows_two_equal_numbers() -> None:
    from mlworkflow_steps.report.facts import Check

    assert Check("accuracy", "min", 0.9, 0.89999).message == "accuracy 0.89999 is below the gate's minimum 0.9"
    assert Check("rmse", "max", 50, 50.04).message == "rmse 50.04 is above the gate's maximum 50"
    assert Check("accuracy", "min", 0.9, 0.812).message == "accuracy 0.812 is below the gate's minimum 0.9"


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"gate": {"acuracy": {"min": 0.9}}}, "MetricUnknown", "evaluate.gate: 'acuracy' is no metric of a classification; known are: accuracy, balanced_accuracy"),
        ({"gate": {"accuracy": {}}}, "SpecInvalid", "evaluate.gate.accuracy: needs `min` or `max`"),
        ({"gate": {"accuracy": {"min": "high"}}}, "SpecInvalid", "evaluate.gate.accuracy.min: must be a number, not 'high'"),
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


def test_bikes_are_harder_to_predict_by_time_than_at_random(run_step: Any, bike_file: Path) -> None:
    encode = {"columns": [{"use": "sklearn.preprocessing.OrdinalEncoder", "select": ["dayOfWeek"]}]}
    estimator = {
        "pipeline": [
            encode,
            {"name": "boost", "use": "sklearn.ensemble.HistGradientBoostingRegressor", "params": {"max_iter": 200}},
        ]
    }
    rmse = {}
    for name, split in (("random", {"test": 0.3}), ("time", {"test": 0.3, "time": True})):
        prepared = run_step(
            "prep",
            {"source": {"url": str(bike_file)}, "target": "demand", "split": split, "columns": {"exclude": ["days"]}},
        )
        trained = run_step("train", {"estimator": estimator}, {"train": prepared.output("train")})
        done = run_step("evaluate", {}, {"model": trained.output("model"), "test": prepared.output("test")})
        assert done.code == 0, done.log
        scores = json.loads(done.output("scores").read_text())
        rmse[name] = done.params["rmse"]
        assert rmse[name] < 0.5 * scores["baseline"]["rmse"]
        assert "Predicted and true" in done.output("report").read_text()
    assert rmse["time"] > 1.2 * rmse["random"]

"""What `evaluate` measures, on small models whose answers are known."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import records
from evaluations import AsLoaded, clusters, labels, many_classes, quantities, quantity, two_classes
from mlworkflow_steps.data.sparse import frame_of
from mlworkflow_steps.data.table import Table
from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.evaluation.dependence import dependences
from mlworkflow_steps.evaluation.errors import over_time
from mlworkflow_steps.evaluation.facts import facts_of
from mlworkflow_steps.evaluation.gate import Bound, Check, Measured, checks_of, rejection
from mlworkflow_steps.evaluation.importance import MOST_FEATURES, importances
from mlworkflow_steps.evaluation.latency import latencies
from mlworkflow_steps.evaluation.slices import SliceBy, slices_of
from mlworkflow_steps.evaluation.subject import Subject
from mlworkflow_steps.evaluation.truth import truth_of
from mlworkflow_steps.models.scores import SCORES, Outcome
from mlworkflow_steps.report.evaluation_page import evaluation_page
from mlworkflow_steps.spec import Fields
from pages import no_network
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression


@pytest.mark.parametrize(
    "example", [quantity, two_classes, labels, quantities, clusters], ids=lambda example: example.__name__
)
def test_every_task_has_a_report_and_its_json_twin(example: Any) -> None:
    found = example()
    facts, page = facts_of(found, {"model": "sha256:m"}, {"numpy": "2"}), evaluation_page(found, "w<b> / e", {})
    again = example.__wrapped__()
    assert json.dumps(facts, allow_nan=False) == json.dumps(facts_of(again, {"model": "sha256:m"}, {"numpy": "2"}))
    assert page == evaluation_page(again, "w<b> / e", {})
    no_network(page)
    records.check(json.loads(json.dumps(facts)), records.SCORES)
    assert set(facts["metrics"]) == set(found.values)
    assert "w&lt;b&gt;" in page


def test_a_report_of_a_quantity_has_everything_that_peers_have() -> None:
    facts = facts_of(quantity(), {}, {})
    assert {"rmse", "mae", "r2"} <= facts["metrics"].keys()
    assert abs(facts["residuals"]["mean"]) < 0.2 * facts["residuals"]["std"]
    assert [each["feature"] for each in facts["importances"][:2]] == ["hour", "day"]
    curve = next(each for each in facts["partial_dependence"] if each["feature"] == "hour")
    assert len(curve["grid"]) == len(curve["curves"]["prediction"]) == 20
    assert curve["grid"] == sorted(curve["grid"])
    assert facts["interaction"]["features"] == ("hour", "day")
    assert facts["over_time"]["column"] == "when"
    assert sum(period["rows"] for period in facts["over_time"]["periods"]) == facts["rows"]
    days = [part for part in facts["slices"] if part["column"] == "day"]
    assert [part["label"] for part in days] == ["free", "work"]
    assert all(low < part["metrics"]["rmse"] < high for part in days for low, high in [part["intervals"]["rmse"]])
    assert facts["worst_rows"][0]["values"].keys() >= {"hour", "day"}
    assert facts["baseline"]["rmse"] > 3 * facts["metrics"]["rmse"]


def test_a_tree_is_walked_with_the_row_that_it_gets_most_wrong() -> None:
    found = quantity()
    path, page = facts_of(found, {}, {})["tree_path"], evaluation_page(found, "w / e", {})
    assert path["row"] == found.inside.worst[0].row
    for question in path["questions"]:
        assert question["holds"] == (question["value"] <= question["limit"])
    assert [question["rows"] for question in path["questions"]] == sorted((question["rows"] for question in path["questions"]), reverse=True)  # fmt: skip
    assert path["questions"][-1]["said"] == pytest.approx(found.inside.worst[0].predicted)
    assert {question["feature"] for question in path["questions"]} <= {"day_free", "day_work", "hour", "noise"}  # fmt: skip
    assert "<h2>One row through the tree</h2>" in page
    last = facts_of(many_classes(), {}, {})["tree_path"]["questions"][-1]
    assert (last["said"], last["share"]) == (many_classes().inside.worst[0].predicted, pytest.approx(many_classes().inside.worst[0].weight))  # fmt: skip
    assert facts_of(two_classes(), {}, {})["tree_path"] is None, "a forest is no single tree"


def test_a_report_of_classes_has_its_curves() -> None:
    found = two_classes()
    facts, page = facts_of(found, {}, {}), evaluation_page(found, "w / e", {})
    assert [curve["label"] for curve in facts["roc"]] == ["yes"]
    assert facts["roc"][0]["area"] == pytest.approx(facts["metrics"]["roc_auc"])
    assert facts["precision_recall"][0]["area"] == pytest.approx(facts["metrics"]["average_precision"])
    assert sum(facts["calibration"]["rows"]) == facts["rows"]
    assert facts["metrics"]["recall"] == pytest.approx(facts["classes"][1]["recall"])
    assert facts["metrics"]["specificity"] == pytest.approx(facts["classes"][0]["recall"])
    for title in ("Confusion matrix", "ROC curve", "Precision and recall", "Calibration", "What the model uses", "How it uses them", "Slices", "Worst rows"):  # fmt: skip
        assert f"<h2>{title}</h2>" in page


def test_several_labels_are_named_and_clusters_compared_with_what_is_known() -> None:
    facts = facts_of(labels(), {}, {})
    assert [row["label"] for row in facts["classes"]] == ["cold", "wet"]
    assert facts["metrics"]["f1_micro"] > 0.8 > facts["baseline"]["f1_micro"]
    facts = facts_of(clusters(), {}, {})
    assert facts["metrics"]["silhouette"] > 0.5
    assert facts["metrics"]["adjusted_rand"] > 0.95
    assert sum(cluster["rows"] for cluster in facts["clusters"]) == facts["rows"]


def test_several_quantities_are_told_one_by_one_and_compared_in_their_own_units() -> None:
    found = quantities()
    facts, page = facts_of(found, {}, {}), evaluation_page(found, "w / e", {})
    assert [row["target"] for row in facts["targets"]] == ["power", "price"]
    for score in ("rmse", "mae", "r2"):
        assert np.mean([row[score] for row in facts["targets"]]) == pytest.approx(facts["metrics"][score])
    low, high = facts["intervals"]["r2"]
    assert low < facts["metrics"]["r2"] < high
    assert facts["baseline"]["r2"] < 0.05 < facts["champion"]["metrics"]["r2"] < facts["metrics"]["r2"]
    assert [check["passed"] for check in facts["gate"]] == [True] * 5
    curves = next(each for each in facts["partial_dependence"] if each["feature"] == "wind")["curves"]
    assert curves.keys() == {"power", "price"}
    assert max(abs(value) for curve in curves.values() for value in curve) < 3, "standard deviations, not watts"
    assert facts["worst_rows"][0]["true"].startswith("power ")
    assert all(0 < period["size"] < 2 for period in facts["over_time"]["periods"])
    for title in ("By target", "Predicted and true power", "Predicted and true price", "How it uses them", "Errors over time"):  # fmt: skip
        assert f"<h2>{title}</h2>" in page


def test_sparse_features_are_shuffled_as_others_are_and_thousands_of_columns_are_bounded() -> None:
    random = np.random.RandomState(0)
    values = random.poisson(0.1, (200, 250)).astype(float)
    true = np.where(values[:, 7] + values[:, 3] > 0, "b", "a")
    model = LogisticRegression(C=10).fit(values, true)
    names = [f"w{place}" for place in range(values.shape[1])]
    dense, sparse = pd.DataFrame(values, columns=names), frame_of(csr_matrix(values), names)
    found = []
    for frame in (dense, sparse):
        subject = Subject.of(AsLoaded(model), frame, true)
        outcome = subject.outcome()
        assert outcome.probabilities == pytest.approx(model.predict_proba(values))
        important = importances(subject, outcome, SCORES["accuracy"], 0)
        assert important is not None
        assert {each.feature for each in important.found[:2]} == {"w3", "w7"}
        assert important.features == MOST_FEATURES == len(important.found)
        found.append([each.feature for each in important.found if each.loss > 0.05])
    assert found[0] == found[1]
    wide = pd.DataFrame(np.zeros((2, 1001)), columns=[f"w{place}" for place in range(1001)])
    assert dependences(Subject(AsLoaded(model), "classification", wide, true[:2]), ["w3"], 0) == ([], 0)


def test_truth_in_the_form_of_the_task() -> None:
    table = Table(
        pd.DataFrame({"x": [1, 2], "a": [0, 1], "b": [1, 1], "tags": [["b"], ["a", "b"]], "gone": [1.0, None]})
    )
    of_columns = truth_of(table, ["a", "b"], "multilabel", [], "evaluate.target")
    of_lists = truth_of(table, ["tags"], "multilabel", ["a", "b"], "evaluate.target")
    of_numbers = truth_of(table, ["x", "b"], "multioutput", [], "evaluate.target")
    assert of_numbers.values.tolist() == [[1.0, 1.0], [2.0, 1.0]]
    with pytest.raises(StepFailure, match=r"evaluate\.target: column 'gone' is one of several quantities, and not all"):
        truth_of(table, ["x", "gone"], "multioutput", [], "evaluate.target")
    assert of_columns.values.tolist() == of_lists.values.tolist() == [[0, 1], [1, 1]]
    assert truth_of(table, ["none"], "clustering", [], "evaluate.target").values.tolist() == []
    with pytest.raises(StepFailure, match=r"evaluate\.target: column 'gone' has 1 missing values"):
        truth_of(table, ["gone"], "regression", [], "evaluate.target")


@pytest.mark.parametrize(
    ("values", "by", "expected"),
    [
        (["b", "a", None, "a"], "c", {"a": 2, "b": 1, "missing": 1}),
        ([3, 1, 2, 1], "c", {"1": 2, "2": 1, "3": 1}),
        (list(range(100)), "c", {"0 to 24": 25, "25 to 49": 25, "50 to 74": 25, "75 to 99": 25}),
        ([1, 1, 1, 1, 2, 3], {"column": "c", "bins": 2}, {"1": 4, "2 to 3": 2}),
        ([True, False, True], "c", {"False": 1, "True": 2}),
        ([f"2026-01-{day:02}" for day in range(1, 31)], {"column": "c", "bins": 2}, {"2026-01-01 to 2026-01-15": 15, "2026-01-16 to 2026-01-30": 15}),
        ([f"t{n:02}" for n in range(22) for _ in range(2)], "c", {**{f"t{n:02}": 2 for n in range(20)}, "any other": 4}),
    ],
)  # fmt: skip
def test_slices_are_values_or_ranges(values: list[Any], by: Any, expected: dict[str, int]) -> None:
    parts = slices_of(pd.DataFrame({"c": values}), SliceBy.parse_all([by], "evaluate.slices"), "evaluate.slices")
    assert {part.label: int(part.rows.sum()) for part in parts} == expected
    assert sum(part.rows for part in parts).tolist() == [1] * len(values)  # type: ignore[union-attr]


def test_slices_of_what_is_not_there_are_named() -> None:
    with pytest.raises(StepFailure, match=r"evaluate\.slices\[1\]: the table has no column 'y'; it has: x"):
        slices_of(pd.DataFrame({"x": [1]}), SliceBy.parse_all(["x", "y"], "evaluate.slices"), "evaluate.slices")
    with pytest.raises(SpecInvalid, match=r"evaluate\.slices\[0\]\.bins: must be a whole number from 2 to 50"):
        SliceBy.parse_all([{"column": "x", "bins": 1}], "evaluate.slices")


def _judged(bound: dict[str, Any], whole: Measured, *parts: Measured, metric: str = "rmse") -> list[Check]:
    return checks_of({metric: Bound.parse(Fields(bound, "evaluate.gate.rmse"))}, whole, list(parts))


def test_better_overall_and_worse_in_a_slice_is_rejected_by_the_slices_name() -> None:
    bound = {"max": 60, "minDelta": 0, "slices": {"minDelta": 0}}
    whole = Measured({"rmse": 40.0}, {"rmse": 45.0}, 1000)
    good, bad = Measured({"rmse": 30.0}, {"rmse": 44.0}, 700, "season=1"), Measured({"rmse": 55.0}, {"rmse": 50.5}, 300, "season=2")  # fmt: skip
    assert rejection(_judged(bound, whole, good)) == ""
    assert rejection(_judged(bound, whole, good, bad)) == (
        "in slice season=2 (300 rows) rmse 55 is 4.5 worse than the champion's 50.5, and the gate's minDelta is 0"
    )


def test_every_rule_that_does_not_hold_is_in_one_message() -> None:
    bound = {"min": 0.9, "minDelta": 0.02, "minSamples": 100, "slices": {"min": 0.85}}
    whole = Measured({"accuracy": 0.81}, {"accuracy": 0.8}, 200)
    parts = [Measured({"accuracy": 0.7}, None, 100, "sex=f"), Measured({"accuracy": 0.86}, None, 100, "sex=m")]
    assert rejection(_judged(bound, whole, *parts, metric="accuracy")) == (
        "accuracy 0.81 is below the gate's minimum 0.9; accuracy 0.81 is only 0.01 better than the champion's 0.8, and the gate's minDelta is 0.02; "
        "in slice sex=f (100 rows) accuracy 0.7 is below the gate's minimum 0.85"
    )
    few = Measured({"accuracy": 0.99}, None, 12)
    assert rejection(_judged(bound, few, metric="accuracy")) == "accuracy rests on 12 rows, and the gate asks for 100"


def test_what_cannot_be_judged_fails_nothing_and_says_why() -> None:
    checks = _judged({"minDelta": 1, "slices": {"max": 1}}, Measured({"rmse": 9.0}, None, 50), Measured({"rmse": 9.0}, None, 29, "a=1"))  # fmt: skip
    assert rejection(checks) == ""
    assert [check.note for check in checks] == ["there is no champion", "fewer than 30 rows"]


def test_a_gates_message_never_shows_two_equal_numbers() -> None:
    assert Check("accuracy", "min", 0.9, 0.89999).message == "accuracy 0.89999 is below the gate's minimum 0.9"
    assert Check("rmse", "max", 50, 50.04).message == "rmse 50.04 is above the gate's maximum 50"
    assert Check("accuracy", "min", 0.9, 0.812).message == "accuracy 0.812 is below the gate's minimum 0.9"


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ({}, "evaluate.gate.rmse: needs `min`, `max`, `minDelta`, `minSamples` or `slices`"),
        ({"min": "high"}, "evaluate.gate.rmse.min: must be a number, not 'high'"),
        ({"min": 2, "max": 1}, "evaluate.gate.rmse: min 2 is above max 1: nothing can pass"),
        ({"slices": {"minSamples": 5}}, "evaluate.gate.rmse.slices: needs `min`, `max` or `minDelta`"),
        ({"most": 2}, "evaluate.gate.rmse.most: is no field"),
    ],
)
def test_bounds_that_say_nothing_are_refused(bound: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        Bound.parse(Fields(bound, "evaluate.gate.rmse"))
    assert words in caught.value.message


def test_errors_over_time_go_by_the_columns_order() -> None:
    true, late = np.zeros(480), np.arange(480)[::-1]
    periods = over_time(Outcome(true, late / 10.0), "regression", pd.Series(late, name="t"))
    assert len(periods) == 24
    assert [period.error for period in periods] == sorted(period.error for period in periods)
    with pytest.raises(StepFailure, match=r"evaluate\.time: column 't' holds neither numbers nor moments"):
        over_time(Outcome(true, true), "regression", pd.Series(["x", "y"] * 240, name="t"))


def test_latency_is_that_of_single_rows_and_ends() -> None:
    seen, ticks = [], iter(np.arange(0, 1000, 0.002))
    found = latencies(
        lambda row: seen.append(len(row)), pd.DataFrame({"x": range(5)}), clock=lambda: float(next(ticks))
    )
    assert set(seen) == {1}
    assert found == {"latency_ms": pytest.approx(2), "latency_p95_ms": pytest.approx(2)}
    slow = iter(np.arange(0, 1000, 0.7))
    latencies(lambda row: seen.clear(), pd.DataFrame({"x": range(5)}), clock=lambda: float(next(slow)))

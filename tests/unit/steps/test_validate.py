"""`validate`, by what it leaves: each anomaly by its code, the verdict, and pages and documents that survive a failure."""

from __future__ import annotations

import json
import re
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pages import no_network


def made(rows: int, seed: int) -> pd.DataFrame:
    """Ten columns of each kind and a target that depends on some of them."""
    random = np.random.RandomState(seed)
    frame = pd.DataFrame({f"x{index}": random.normal(index, 1 + index, rows) for index in range(5)})
    frame["hour"] = random.randint(0, 24, rows)
    frame["site"] = random.choice(["north", "south", "west"], rows)
    frame["skewed"] = random.exponential(2.0, rows)
    frame["gaps"] = np.where(random.rand(rows) < 0.1, np.nan, random.normal(size=rows))
    frame["when"] = [f"2026-01-{1 + index % 28:02d}" for index in range(rows)]
    frame["demand"] = (50 + 5 * frame["x0"] + frame["hour"] + random.normal(0, 3, rows)).round(3)
    return frame


@pytest.fixture
def save(tmp_path: Path) -> Any:
    def to(name: str, frame: pd.DataFrame) -> Path:
        file = tmp_path / f"{name}.csv"
        frame.to_csv(file, index=False)
        return file

    return to


@pytest.fixture
def reference(save: Any) -> Path:
    file: Path = save("reference", made(800, 1))
    return file


def found(done: Any) -> dict[str, dict[str, Any]]:
    """The anomalies by code, the last of each."""
    document = json.loads(done.output("anomalies").read_text())
    return {anomaly["code"]: anomaly for anomaly in document["anomalies"]}


TARGET = {"target": "demand"}


def test_a_good_table_passes_and_leaves_its_schema_and_a_page(run_step: Any, save: Any, reference: Path) -> None:
    inputs = {"reference": reference, "table": save("new", made(400, 2))}
    done = run_step("validate", TARGET, inputs, PYTHONHASHSEED="1")
    assert done.code == 0, done.log
    assert done.params == {
        "passed": True,
        "anomaly_count": 0,
        "blocking_count": 0,
        "codes": [],
        "drifted": [],
        "rows": 400,
    }
    schema = json.loads(done.output("schema").read_text())
    assert (schema["target"], schema["task"]) == ("demand", "regression")
    assert schema["columns"]["hour"] == {"type": "integer", "min": 0, "max": 23, "missing": 0.0}
    assert schema["columns"]["site"] == {"type": "category", "categories": ["north", "south", "west"], "missing": 0.0}
    assert schema["columns"]["skewed"]["min"] == 0
    page = done.output("report").read_text()
    no_network(page)
    assert "Passed" in page
    assert "How far apart" in page
    again = run_step("validate", TARGET, inputs, PYTHONHASHSEED="2", TZ="Asia/Tokyo")
    for name in ("schema", "anomalies", "report"):
        assert again.digests(name) == done.digests(name)


def test_a_renamed_column_a_new_category_and_a_burst_of_gaps_are_three_codes_at_once(
    run_step: Any, save: Any, reference: Path
) -> None:
    frame = made(400, 2).rename(columns={"x2": "x_two"})
    frame.loc[:9, "site"] = "east"
    frame.loc[50:149, "x3"] = np.nan
    done = run_step("validate", TARGET, {"reference": reference, "table": save("new", frame)})
    assert done.code == 1
    codes = found(done)
    assert set(codes) == {"ColumnMissing", "ColumnExtra", "NewCategory", "MissingValues"}
    assert codes["ColumnMissing"]["columns"] == ["x2"]
    assert "is it 'x_two' now?" in codes["ColumnMissing"]["message"]
    assert codes["ColumnExtra"]["level"] == "warn"
    assert (codes["NewCategory"]["examples"], codes["NewCategory"]["rows"]) == (["east"], 10)
    assert codes["MissingValues"]["rows"] == 100
    assert done.failure["reason"] == "DataInvalid"
    for words in ("ColumnMissing: column 'x2'", "NewCategory: 'site'", "MissingValues: 100 of 400 values in 'x3'"):
        assert words in done.failure["message"]
    assert done.params["passed"] is False
    assert done.params["blocking_count"] == 3
    page = done.output("report").read_text()
    no_network(page)
    assert "Blocked" in page
    assert "x_two" in page


@pytest.mark.parametrize(
    ("column", "values", "code", "examples"),
    [
        ("x1", {3: "n/a?"}, "TypeChanged", ["n/a?"]),
        ("hour", {3: 1.5}, "TypeChanged", [1.5]),
        ("site", dict.fromkeys(range(400), 7), "TypeChanged", [7]),
        ("when", {3: "soon"}, "TypeChanged", ["soon"]),
        ("hour", {3: 24, 4: -1}, "OutOfRange", [24, -1]),
        ("x0", {3: -999}, "OutOfRange", [-999.0]),
        ("demand", {3: 1e6}, "OutOfRange", [1e6]),
        ("x0", {3: np.nan}, "MissingValues", []),
        ("demand", {3: np.nan}, "LabelAbsent", []),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_column_has_a_code(
    run_step: Any, save: Any, reference: Path, column: str, values: dict[int, Any], code: str, examples: list[Any]
) -> None:
    frame = made(400, 2)
    frame[column] = frame[column].astype(object)
    for row, value in values.items():
        frame.loc[row, column] = value
    done = run_step("validate", TARGET, {"reference": reference, "table": save("new", frame)})
    blocks = {name: anomaly for name, anomaly in found(done).items() if anomaly["level"] == "block"}
    assert list(blocks) == [code], done.log
    assert (blocks[code]["columns"], blocks[code]["examples"]) == ([column], examples)
    assert done.failure["reason"] == "DataInvalid"


def test_gaps_as_many_as_before_and_whole_numbers_that_a_gap_made_floats_are_fine(run_step: Any, save: Any) -> None:
    before, now = made(800, 1), made(400, 2)
    for frame in (before, now):
        frame.loc[::20, "hour"] = np.nan
    done = run_step("validate", TARGET, {"reference": save("before", before), "table": save("now", now)})
    assert done.code == 0, done.log


def labelled(rows: int, seed: int) -> pd.DataFrame:
    frame = made(rows, seed).drop(columns="demand")
    return frame.assign(
        label=np.where(frame["x0"] + np.random.RandomState(seed + 100).normal(size=rows) > 0, "yes", "no")
    )


def test_a_class_that_was_never_seen_is_no_new_category(run_step: Any, save: Any) -> None:
    frame = labelled(400, 2)
    frame.loc[:4, "label"] = "maybe"
    done = run_step(
        "validate", {"target": "label"}, {"reference": save("a", labelled(800, 1)), "table": save("b", frame)}
    )
    assert found(done)["LabelUnseen"]["examples"] == ["maybe"]
    assert "NewCategory" not in found(done)


def test_serving_rows_need_no_label_and_training_rows_do(run_step: Any, save: Any, reference: Path) -> None:
    rows = save("rows", made(400, 2).drop(columns="demand"))
    frozen = run_step("validate", TARGET, {"table": reference}).output("schema")
    serving = run_step(
        "validate", {"environment": "serving"}, {"schema": frozen, "table": rows, "reference": reference}
    )
    assert serving.code == 0, serving.log
    assert serving.params["anomaly_count"] == 0
    training = run_step("validate", {}, {"schema": frozen, "table": rows})
    assert training.code == 1
    assert found(training)["LabelAbsent"]["columns"] == ["demand"]
    trained = run_step(
        "train", {"estimator": "sklearn.linear_model.LinearRegression", "target": "demand"}, {"train": rows}
    )
    assert (trained.code, trained.failure["reason"]) == (1, "ColumnNotFound")


@pytest.fixture
def leaky_bike(bike_file: Path) -> pd.DataFrame:
    """The bike table with the two columns that the original has beside its target: who rented."""
    frame = pd.read_csv(bike_file)
    registered = np.random.RandomState(0).binomial(frame["demand"], 0.8)
    return frame.assign(casual=frame["demand"] - registered, registered=registered)


def test_casual_and_registered_are_named_and_nothing_else(run_step: Any, save: Any, leaky_bike: pd.DataFrame) -> None:
    done = run_step("validate", TARGET, {"table": save("bike", leaky_bike)})
    anomalies = json.loads(done.output("anomalies").read_text())["anomalies"]
    assert [(each["code"], each["columns"]) for each in anomalies] == [("TargetLeakage", ["casual", "registered"])]
    assert "the sum of 'casual' and 'registered' is the target 'demand'" in done.failure["message"]
    clean = run_step("validate", TARGET, {"table": save("clean", leaky_bike.drop(columns=["casual", "registered"]))})
    assert clean.code == 0, clean.log
    assert clean.params["anomaly_count"] == 0


def test_each_of_the_two_alone_is_no_leak(run_step: Any, save: Any, leaky_bike: pd.DataFrame) -> None:
    done = run_step("validate", TARGET, {"table": save("bike", leaky_bike.drop(columns="casual"))})
    assert "TargetLeakage" not in done.params["codes"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: f["demand"], "'leak' equals the target"),
        (lambda f: f["demand"] * 1.1 - 7, "'leak' "),
        (lambda f: (f["demand"] * 1.1 - 7).round(2), "the target 'demand' is a linear combination of 'leak'"),
        (lambda f: f["demand"] ** 3, "'leak' says the same as the target"),
        (lambda f: np.exp(f["demand"] / 10), "'leak' "),
    ],
)  # fmt: skip
def test_a_copy_of_the_target_is_a_leak_whatever_was_done_to_it(
    run_step: Any, save: Any, make: Any, words: str
) -> None:
    frame = made(600, 1)
    done = run_step("validate", TARGET, {"table": save("t", frame.assign(leak=make(frame)))})
    assert words in found(done)["TargetLeakage"]["message"]
    assert found(done)["TargetLeakage"]["columns"] == ["leak"]


@pytest.mark.parametrize(
    ("make", "columns"),
    [
        (lambda f: {"leak": f["label"].map({"yes": 3, "no": 1})}, ["leak"]),
        (lambda f: {"leak": f["label"].map({"yes": "J", "no": "N"})}, ["leak"]),
        (lambda f: {"leak": np.where(f["label"] == "yes", 1, 0) + f["x0"].rank() / 1e4}, ["leak"]),
        (lambda f: {"leak": f["label"] + f["hour"].mod(3).astype(str)}, ["leak"]),
        (lambda f: {"a": np.where(f["hour"] > 9, f["label"].eq("yes"), 0).astype(int), "b": np.where(f["hour"] > 9, 0, f["label"].eq("yes")).astype(int)}, ["a", "b"]),
    ],
    ids=["codes", "other labels", "a threshold", "a finer label", "two indicators"],
)  # fmt: skip
def test_what_decides_a_class_is_a_leak(run_step: Any, save: Any, make: Any, columns: list[str]) -> None:
    frame = labelled(600, 1)
    done = run_step("validate", {"target": "label"}, {"table": save("t", frame.assign(**make(frame)))})
    assert found(done)["TargetLeakage"]["columns"] == columns


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "diabetes"])
def test_honest_data_have_no_leak(name: str) -> None:
    from mlworkflow_steps.data.leakage import leakage
    from mlworkflow_steps.data.table import task_of
    from sklearn import datasets

    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    assert leakage(frame, "target", task_of(frame["target"]), "table") == []


def test_an_identifier_is_no_leak(run_step: Any, save: Any) -> None:
    frame = labelled(300, 1)
    done = run_step("validate", {"target": "label"}, {"table": save("t", frame.assign(id=[f"r{i}" for i in range(300)], number=range(300)))})  # fmt: skip
    assert done.code == 0, done.log


def test_numbers_that_are_all_different_are_no_copies_of_each_other() -> None:
    from mlworkflow_steps.data.leakage import leakage

    random = np.random.RandomState(0)
    frame = pd.DataFrame(random.normal(size=(5000, 8)), columns=[*"abcdefg", "target"])
    assert leakage(frame, "target", "regression", "table") == []
    assert [each.columns for each in leakage(frame.assign(a=np.exp(frame["target"])), "target", "regression", "table")] == [("a",)]  # fmt: skip


def test_rows_on_both_sides_of_the_split(run_step: Any, save: Any) -> None:
    train, test = made(700, 1), made(300, 2)
    copies = pd.concat([test.iloc[:290], train.iloc[100:110]], ignore_index=True)
    done = run_step("validate", TARGET, {"train": save("train", train), "test": save("test", copies)})
    assert found(done)["SplitOverlap"]["rows"] == 10
    assert found(done)["SplitOverlap"]["examples"] == [290, 291, 292, 293, 294]
    assert done.failure["message"].startswith("SplitOverlap: 10 of 300 test rows (3.3%)")
    twin = pd.concat([test.iloc[:299], train.iloc[:1]], ignore_index=True)
    inputs = {"train": save("train", train), "test": save("test", twin)}
    assert run_step("validate", TARGET, inputs).code == 0, "one twin is chance"
    assert run_step("validate", TARGET | {"level": {"SplitOverlap": "block"}}, inputs).code == 1, "unless declared"
    assert (
        run_step("validate", TARGET, {"train": save("train", train), "test": save("test", test)}).params["codes"] == []
    )


def test_one_feature_that_moved_by_a_standard_deviation_is_named_and_no_other(
    run_step: Any, save: Any, reference: Path
) -> None:
    frame = made(400, 2)
    frame["x3"] += frame["x3"].std()
    inputs = {"reference": reference, "table": save("new", frame)}
    done = run_step("validate", TARGET, inputs)
    assert done.code == 0, "drift warns"
    assert (done.params["drifted"], done.params["codes"]) == (["x3"], ["Drift"])
    assert "Drift in “x3”" in done.output("report").read_text()
    blocked = run_step("validate", TARGET | {"level": {"Drift": "block"}, "drift": {"measure": "js"}}, inputs)
    assert (blocked.code, blocked.params["drifted"]) == (1, ["x3"])
    assert "Jensen-Shannon distance 0." in blocked.failure["message"]
    skewed = run_step("validate", TARGET, {"train": reference, "test": save("new", frame)})
    assert skewed.params["codes"] == ["Skew"]


@pytest.mark.parametrize("rows", [60, 200, 1000])
@pytest.mark.parametrize("measure", ["psi", "js"])
def test_every_shift_is_found_and_twenty_draws_without_one_name_nothing(rows: int, measure: str) -> None:
    from mlworkflow_steps.data.drift import Limits, differences, drifted
    from mlworkflow_steps.spec import Fields

    limits = Limits.parse(Fields({"measure": measure}, "drift"))
    before = made(2000, 1)
    numbers = [*(f"x{index}" for index in range(5)), "skewed", "hour", "gaps", "demand"]
    for seed in range(2, 22):
        now = made(rows, seed)
        assert drifted(differences(before, now, limits)) == []
        moved = numbers[seed % len(numbers)]
        assert drifted(differences(before, now.assign(**{moved: now[moved] + before[moved].std()}), limits)) == [moved]


def test_labels_drift_too(run_step: Any, save: Any, reference: Path) -> None:
    frame = made(400, 2)
    frame.loc[frame.index[:150], "site"] = "north"
    done = run_step("validate", TARGET, {"reference": reference, "table": save("new", frame)})
    assert done.params["drifted"] == ["site"]


def test_the_tests_are_those_of_scipy() -> None:
    from mlworkflow_steps.data.drift import Limits, differences
    from mlworkflow_steps.spec import Fields
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import chi2_contingency, ks_2samp

    before, now = made(900, 1), made(500, 2)
    now["x0"] += 0.1
    by_name = {each.column: each for each in differences(before, now, Limits.parse(Fields({}, "drift")))}
    ks = ks_2samp(before["x0"], now["x0"], method="asymp")
    assert by_name["x0"].statistic == pytest.approx(ks.statistic)
    assert by_name["x0"].p_value == pytest.approx(ks.pvalue, rel=0.1)
    counts = pd.DataFrame({"before": before["site"].value_counts(), "now": now["site"].value_counts()}).T
    chi2 = chi2_contingency(counts)
    assert by_name["site"].statistic == pytest.approx(chi2.statistic)
    assert by_name["site"].p_value == pytest.approx(chi2.pvalue)
    for each in by_name.values():
        assert each.js == pytest.approx(jensenshannon(each.before, each.now, base=2), abs=5e-3)
        assert sum(each.before) == pytest.approx(1)


def test_a_frozen_schema_is_kept_and_can_be_changed_by_hand(run_step: Any, save: Any, reference: Path) -> None:
    frozen = run_step("validate", TARGET, {"table": reference}).output("schema")
    frame = made(400, 2)
    frame.loc[:3, "site"] = "east"
    new = save("new", frame)
    done = run_step("validate", {}, {"schema": frozen, "table": new})
    assert done.params["codes"] == ["NewCategory"]
    assert done.output("schema").read_bytes() == frozen.read_bytes()
    document = json.loads(frozen.read_text())
    document["columns"]["site"]["categories"].append("east")
    edited = frozen.with_name("edited")
    edited.write_text(json.dumps(document))
    assert run_step("validate", {}, {"schema": edited, "table": new}).code == 0
    assert run_step("validate", {"schema": document}, {"table": new}).code == 0, "it may stand in the spec"
    rules = {"site": {"categories": ["north", "south", "west", "east"]}, "hour": {"max": 20}}
    ruled = run_step("validate", {"columns": rules}, {"schema": frozen, "table": new})
    assert ruled.params["codes"] == ["OutOfRange"]
    assert found(ruled)["OutOfRange"]["columns"] == ["hour"]


def test_levels_are_as_declared(run_step: Any, save: Any, reference: Path) -> None:
    frame = made(400, 2).assign(more=1)
    frame.loc[:3, "site"] = "east"
    inputs = {"reference": reference, "table": save("new", frame)}
    warned = run_step("validate", TARGET | {"level": {"NewCategory": "warn"}}, inputs)
    assert (warned.code, warned.params["codes"], warned.params["blocking_count"]) == (0, ["ColumnExtra", "NewCategory"], 0)  # fmt: skip
    assert "Passed, with warnings" in warned.output("report").read_text()
    ignored = run_step("validate", TARGET | {"level": {"NewCategory": "ignore", "ColumnExtra": "block"}}, inputs)
    assert (ignored.code, ignored.params["codes"]) == (1, ["ColumnExtra"])


def test_an_empty_table_is_an_anomaly(run_step: Any, save: Any, reference: Path) -> None:
    done = run_step("validate", TARGET, {"reference": reference, "table": save("new", made(400, 2).iloc[:0])})
    assert done.failure["message"] == "NoRows: the table has no rows"


def test_markup_in_the_data_stays_text(run_step: Any, save: Any, reference: Path) -> None:
    frame = made(400, 2).rename(columns={"x2": "<script>alert(1)</script>"})
    frame.loc[:3, "site"] = "<img src=x>"
    done = run_step("validate", TARGET, {"reference": reference, "table": save("new", frame)})
    no_network(done.output("report").read_text())


def test_it_starts_within_a_second_and_a_half_and_without_scikit_learn(run_step: Any, reference: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run_step("validate", TARGET, {"table": reference})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.code == 0
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 3.0, "1.5 s of a core that is shared with nobody; the tests run beside others"
    log = run_step("validate", TARGET, {"table": reference}, PYTHONPROFILEIMPORTTIME="1").log
    assert not re.search(r"\| +(sklearn|matplotlib|scipy\.stats)\b", log)


def odd_table(folder: Path, rows: int, seed: int, last: int = 0) -> Path:
    random = np.random.RandomState(seed)
    frame = pd.DataFrame({"lists": [*([int(value)] * 2 for value in random.randint(0, 3, rows - 1)), [last] * 2]})
    frame["grade"] = pd.Categorical(random.choice([1, 2, 3], rows))
    frame["flag"] = pd.Series(random.choice([True, False], rows)).astype(object).where(random.rand(rows) > 0.1, None)
    frame["review"] = [" ".join(random.choice(["good", "bad", "long"], random.randint(2, 30))) for _ in range(rows)]
    frame["nothing"] = None
    frame["label"] = random.choice([True, False], rows)
    file = folder / f"{seed}.parquet"
    frame.to_parquet(file)
    return file


def test_odd_tables_are_checked_too(run_step: Any, tmp_path: Path) -> None:
    """Lists, pandas' categories, flags with gaps, texts of many words: nothing of it breaks a check."""

    before = odd_table(tmp_path, 300, 1)
    done = run_step("validate", {"target": "label"}, {"reference": before, "table": odd_table(tmp_path, 200, 2)})
    assert (done.code, done.params["codes"]) == (0, []), done.log
    strange = run_step(
        "validate", {"target": "label"}, {"reference": before, "table": odd_table(tmp_path, 200, 3, last=9)}
    )
    assert found(strange)["NewCategory"]["examples"] == ["[9 9]"]


def test_the_codes_are_those_that_the_operator_knows() -> None:
    from mlworkflow.core.kinds.validate import CODES
    from mlworkflow_steps.data.anomalies import DEFAULT_LEVELS

    assert tuple(DEFAULT_LEVELS) == CODES


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({}, "InputMissing", "the step needs the input `table`, or the inputs `train` and `test`, or a `source`"),
        ({"level": {"Bad": "warn"}}, "SpecInvalid", "validate.level.Bad: is no anomaly; known are: NoRows, ColumnMissing"),
        ({"level": {"Drift": "shout"}}, "SpecInvalid", "validate.level.Drift: must be one of block, warn, ignore"),
        ({"environment": "test"}, "SpecInvalid", "validate.environment: must be training or serving"),
        ({"drift": {"measure": "ks"}}, "SpecInvalid", "validate.drift.measure: must be psi or js"),
        ({"drift": {"chance": 1}}, "SpecInvalid", "validate.drift.chance: is a probability"),
        ({"source": {"sklearn": "iris"}, "schema": {"columns": {"a": {"type": "word"}}}}, "SpecInvalid", "validate.schema.columns.a.type: must be one of integer"),
        ({"source": {"sklearn": "iris"}, "schema": {"format": 9}}, "SpecInvalid", "validate.schema.format: is 9"),
        ({"source": {"sklearn": "iris"}, "columns": {"petals": {"min": 0}}}, "SpecInvalid", "validate.columns.petals.type: must be one of"),
        ({"source": {"sklearn": "iris"}, "columns": {"target": {"min": 3, "max": 1}}}, "SpecInvalid", "validate.columns.target.min: is above max"),
        ({"source": {"sklearn": "iris"}, "target": "species"}, "DataInvalid", "LabelAbsent: the target column 'species' is not there"),
    ],
)  # fmt: skip
def test_mistakes_are_named(spec: dict[str, Any], reason: str, words: str, in_process: Any) -> None:
    failure = in_process("validate", spec)
    assert (failure.reason, words in failure.message) == (reason, True), failure.message


def test_the_words_of_texts_are_not_looked_at(run_step: Any, tmp_path: Path) -> None:
    from mlworkflow_steps.data.sparse import frame_of
    from mlworkflow_steps.data.table import Table, write_table
    from scipy import sparse

    words = frame_of(
        sparse.random(60, 4000, density=0.01, format="csr", random_state=0), [f"w{n}" for n in range(4000)]
    )
    write_table(Table(words.assign(n=range(60), y=["a", "b"] * 30), "y", "classification"), tmp_path / "train")
    done = run_step("validate", {}, {"table": tmp_path / "train"})
    assert done.code == 0, done.log
    assert "inputs.table: 4000 sparse features are not looked at" in done.log
    assert list(json.loads(done.output("schema").read_text())["columns"]) == ["n", "y"]

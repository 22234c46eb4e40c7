"""`predict` and `rehearse`: the same answers in any number of parts and in flat memory, the model in every row, and what is wrong with the rows by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlworkflow_steps
import numpy as np
import pandas as pd
import pytest
from mlworkflow_steps.data.table import FEATURES, Table, write_table
from mlworkflow_steps.models import serving
from pages import no_network

ENCODE = {"columns": [{"use": "sklearn.preprocessing.OrdinalEncoder", "select": ["site"]}], "remainder": "passthrough"}
BOOST = {"use": "sklearn.ensemble.HistGradientBoostingRegressor", "params": {"max_iter": 10}}
MODEL = "sha256:" + "0" * 64


def rides(rows: int, seed: int) -> pd.DataFrame:
    """Bookings by the hour; `ride` identifies them."""
    random = np.random.default_rng(seed)
    hour, temp = random.integers(0, 24, rows), random.normal(10, 4, rows).round(2)
    site = random.choice(["north", "south"], rows)
    frame = pd.DataFrame({"hour": hour, "temp": temp, "site": site, "note": [f"ride {n} of many" for n in hour]})
    return frame.assign(ride=np.arange(rows), demand=hour + 2 * temp + 5 * (site == "north"))


@pytest.fixture(scope="module")
def model(run_step: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the demand."""
    file = tmp_path_factory.mktemp("rides") / "train.parquet"
    write_table(Table(rides(800, 1).drop(columns=["ride", "note"]), "demand", "regression"), file)
    trained = run_step("train", {"estimator": {"pipeline": [ENCODE, BOOST]}}, {"train": file})
    assert trained.code == 0, trained.log
    return Path(trained.output("model"))


def stored(frame: pd.DataFrame, folder: Path, name: str = "data.parquet") -> Path:
    file = folder / name
    if file.suffix == ".csv":
        frame.to_csv(file, index=False)
    else:
        write_table(Table(frame), file)
    return file


def test_every_row_has_its_prediction_what_was_kept_and_the_model(run_step: Any, model: Path, tmp_path: Path) -> None:
    rows = rides(500, 2).drop(columns="demand")
    spec = {"keep": ["ride", "site"], "name": "rides@champion", "batch": 130}
    done = run_step("predict", spec, {"model": model, "data": stored(rows, tmp_path)})
    assert done.code == 0, done.log
    found = pd.read_parquet(done.output("predictions"))
    assert list(found) == ["ride", "site", "prediction", "model", "model_name"]
    assert found[["ride", "site"]].equals(rows[["ride", "site"]])
    assert found["prediction"].tolist() == mlworkflow_steps.load(model).predict(rows).tolist()
    assert set(found["model"]) == {MODEL}
    assert set(found["model_name"]) == {"rides@champion"}
    params = {file.name: file.read_text() for file in done.output("params").iterdir()}
    assert params == {"rows": "500", "skewed": "[]", "anomaly_count": "0", "model": MODEL}
    facts = json.loads(done.output("skew").read_text())
    assert (facts["passed"], facts["rows"], facts["anomalies"]) == (True, 500, [])
    assert {each["column"] for each in facts["compared"]} == {"hour", "temp", "site"}
    assert facts["predictions"]["mean"] == pytest.approx(found["prediction"].mean())
    page = done.output("report").read_text()
    no_network(page)
    assert "As in training" in page
    again = run_step("predict", spec, {"model": model, "data": stored(rows, tmp_path)}, PYTHONHASHSEED="5")
    for name in ("predictions", "skew", "report"):
        assert again.digests(name) == done.digests(name), name


def test_a_text_table_is_read_in_parts_too_and_classes_have_probabilities(run_step: Any, tmp_path: Path) -> None:
    train = rides(300, 1).drop(columns=["note", "demand"])
    spec = {"estimator": "sklearn.naive_bayes.GaussianNB", "target": "site"}
    trained = run_step("train", spec, {"train": stored(train, tmp_path, "train.csv")})
    rows = rides(100, 3).drop(columns=["note", "demand", "site"])
    inputs = {"model": trained.output("model"), "data": stored(rows, tmp_path, "data.csv")}
    done = run_step("predict", {"probabilities": True, "batch": 33}, inputs)
    assert done.code == 0, done.log
    found = pd.read_parquet(done.output("predictions"))
    loaded = mlworkflow_steps.load(trained.output("model"))
    assert found["prediction"].tolist() == loaded.predict(rows).tolist()
    assert np.array_equal(found[["probability_north", "probability_south"]], loaded.predict_proba(rows))
    facts = json.loads(done.output("skew").read_text())
    assert {each["class"]: each["rows"] for each in facts["predictions"]} == found[
        "prediction"
    ].value_counts().to_dict()
    assert "What was predicted" in done.output("report").read_text()


@pytest.mark.parametrize("kind", ["quantities", "labels"])
def test_several_targets_have_a_column_each(run_here: Any, tmp_path: Path, kind: str) -> None:
    known = rides(300, 1)[["hour", "temp", "demand"]].assign(cost=lambda frame: frame["temp"] / 100)
    targets, estimator = ["demand", "cost"], "sklearn.tree.DecisionTreeRegressor"
    if kind == "labels":
        targets, estimator = ["late", "warm"], "sklearn.tree.DecisionTreeClassifier"
        known = known.assign(late=(known["hour"] > 20).astype(int), warm=(known["temp"] > 10).astype(int))
    train = stored(known[["hour", "temp", *targets]], tmp_path, "train.parquet")
    trained = run_here("train", {"estimator": estimator, "target": targets}, {"train": train})
    assert trained.code == 0, trained.failure
    rows = rides(100, 3)[["hour", "temp"]]
    done = run_here("predict", {}, {"model": trained.output("model"), "data": stored(rows, tmp_path)})
    assert done.code == 0, done.failure
    names = [f"prediction_{target}" for target in targets]
    found = pd.read_parquet(done.output("predictions"))
    assert list(found) == [*names, "model"]
    assert np.array_equal(found[names], mlworkflow_steps.load(trained.output("model")).predict(rows))
    told = json.loads(done.output("skew").read_text())["predictions"]
    page = done.output("report").read_text()
    if kind == "labels":
        assert {each["class"]: each["rows"] for each in told} == dict(zip(targets, found[names].sum(), strict=True))
    else:
        assert [each["target"] for each in told] == targets
        assert [each["mean"] for each in told] == pytest.approx(list(found[names].mean()))
        assert [each["trained_mean"] for each in told] == pytest.approx(list(known[targets].mean()))
        assert "Mean cost" in page
    assert "What was predicted" in page


def test_exactly_the_shifted_column_is_skewed_and_that_may_block(run_step: Any, model: Path, tmp_path: Path) -> None:
    rows = rides(400, 4)
    moved = stored(rows.assign(temp=rows["temp"] + 4), tmp_path)  # by one standard deviation
    done = run_step("predict", {"level": {"Skew": "block"}}, {"model": model, "data": moved})
    assert (done.code, done.failure["reason"]) == (1, "DataInvalid")
    assert done.failure["message"].startswith("Skew: 'temp' is not distributed as in the training table (PSI")
    assert json.loads(done.output("skew").read_text())["anomalies"][0]["columns"] == ["temp"]
    assert (done.output("params") / "skewed").read_text() == '["temp"]'
    assert len(pd.read_parquet(done.output("predictions"))) == 400
    assert "Drift in “temp”" in done.output("report").read_text()


def test_no_column_is_skewed_where_nothing_has_changed(model: Path) -> None:
    from mlworkflow_steps.data.drift import Limits, differences, drifted
    from mlworkflow_steps.spec import Fields

    loaded = mlworkflow_steps.load(model)
    limits = Limits.parse(Fields({}, "predict.skew"))
    for seed in range(20):
        assert drifted(differences(loaded.statistics, rides(400, 100 + seed), limits)) == []


def test_what_is_odd_about_the_whole_table_is_told_once(run_step: Any, model: Path, tmp_path: Path) -> None:
    rows = rides(600, 5)
    rows["temp"] = rows["temp"].astype(object)
    rows.loc[0:9, "temp"] = None
    rows.loc[300:301, "hour"] = 2400
    rows.loc[500, "hour"] = 9999
    done = run_step("predict", {"batch": 100}, {"model": model, "data": stored(rows.astype({"temp": float}), tmp_path)})
    assert done.code == 0, done.log
    found = {each["code"]: each for each in json.loads(done.output("skew").read_text())["anomalies"]}
    assert set(found) == {"OutOfRange", "MissingValues"}
    assert found["OutOfRange"]["message"] == "3 values in 'hour' are outside 0 to 23: 2400, 9999"
    assert found["MissingValues"]["message"].startswith("10 of 600 values in 'temp' are missing (1.7%)")
    assert {each["level"] for each in found.values()} == {"warn"}


@pytest.mark.parametrize(
    ("change", "spec", "reason", "words"),
    [
        (lambda rows: rows.rename(columns={"temp": "temperature"}), {}, "ColumnNotFound", "lacks columns that the model needs: temp (is it 'temperature' now?)"),
        (lambda rows: rows.assign(hour="noon"), {}, "PredictFailed", "'hour' should hold whole numbers"),
        (lambda rows: rows.assign(site="west"), {}, "PredictFailed", "'site' has categories that the schema does not know: west"),
        (lambda rows: rows.head(0), {}, "DataInvalid", "the input 'data' has no rows"),
        (lambda rows: rows, {"keep": ["id"]}, "ColumnNotFound", "predict.keep[0]: the table has no column 'id'; it has: hour"),
        (lambda rows: rows, {"keep": ["prediction"]}, "SpecInvalid", "predict.keep[0]: 'prediction' is the name of a column that predictions have"),
        (lambda rows: rows, {"probabilities": True}, "SpecInvalid", "predict.probabilities: the model gives none"),
        (lambda rows: rows, {"level": {"Skwe": "warn"}}, "SpecInvalid", "predict.level.Skwe: is no anomaly"),
        (lambda rows: rows, {"skew": {"columns": ["wind"]}}, "SpecInvalid", "predict.skew.columns: the training table has no column 'wind'"),
    ],
)  # fmt: skip
def test_mistakes_are_named(
    change: Any, spec: Any, reason: str, words: str, in_process: Any, model: Path, tmp_path: Path
) -> None:
    failure = in_process("predict", spec, {"model": model, "data": stored(change(rides(50, 6)), tmp_path)})
    assert (failure.reason, words in failure.message) == (reason, True), failure.message


def test_features_of_other_code_are_refused_unless_they_are_asked_for(
    run_step: Any, in_process: Any, model: Path, tmp_path: Path
) -> None:
    rows = rides(50, 7)
    rows.attrs[FEATURES] = "sha256:" + "b" * 64
    inputs = {"model": model, "data": stored(rows, tmp_path)}
    assert in_process("predict", {}, inputs).reason == "FeatureCodeMismatch"
    done = run_step("predict", {"otherFeatures": True}, inputs)
    assert done.code == 0, done.log
    assert len(pd.read_parquet(done.output("predictions"))) == 50


_MEASURED = """
from mlworkflow_steps.__main__ import main
assert main(["predict"]) == 0
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_memory_does_not_grow_with_the_table(model: Path, tmp_path: Path) -> None:
    """Three times the rows in the same memory, from where the buffers of the reader are full: the larger table alone takes 45 MB more."""
    from mlworkflow_steps.models import bundle, manifest
    from sklearn.linear_model import LinearRegression

    random = np.random.default_rng(0)
    names = [f"x{n}" for n in range(20)]
    frame = pd.DataFrame(random.normal(size=(420_000, 20)), columns=names)
    facts = manifest.Manifest.read(model)
    schema = bundle.raw_schema(frame.head(1000).assign(y=0.5), "y").as_json()
    values = {name: getattr(facts, name) for name in facts.__slots__} | {"schema": schema, "features": names}
    head = frame.head(1000)
    bundle.write(tmp_path / "model", LinearRegression().fit(head, head["x0"]), manifest.Manifest(**values), head)
    peaks = []
    for rows in (140_000, 420_000):
        root = tmp_path / str(rows)
        for folder in ("in", "out", "run"):
            (root / folder).mkdir(parents=True)
        write_table(Table(frame.head(rows)), root / "in/data")
        (root / "in/model").symlink_to(tmp_path / "model")
        task = {"workflow": {"name": "w"}, "step": "predict", "spec": {"batch": 10_000}, "inputs": {}}
        (root / "run/task.json").write_text(json.dumps(task))
        environ = os.environ | {"MLWF_TASK": str(root / "run/task.json"), "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert len(pd.read_parquet(root / "out/predictions", columns=["prediction"])) == rows
        peaks.append(int(done.stdout.split()[-2]))
    assert peaks[1] < 1.1 * peaks[0], peaks


# ── can it be served? ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_that_says_the_same_in_a_fresh_process_can_be_served(run_step: Any, model: Path) -> None:
    done = run_step("rehearse", {}, {"model": model})
    assert done.code == 0, done.log
    verdict = json.loads(done.output("verdict").read_text())
    assert verdict == {"format": 1, "passed": True, "problem": "", "model": MODEL}
    assert done.params == {"passed": True}


def test_a_model_that_needs_a_library_which_is_not_there_is_rejected_with_its_name(
    run_step: Any, model: Path, tmp_path: Path
) -> None:
    from tests.unit.steps.test_bundle import rename

    broken = Path(shutil.copytree(model, tmp_path / "model"))
    rename(broken / "model.skops", "sklearn.preprocessing._encoders", "catboost.core")
    done = run_step("rehearse", {}, {"model": broken}, MLWF_ALLOWED_IMPORTS="sklearn.,catboost.")
    assert (done.code, done.failure["reason"]) == (1, "CannotServe")
    assert "ModuleNotFoundError: No module named 'catboost'" in done.failure["message"]
    assert json.loads(done.output("verdict").read_text())["passed"] is False


def test_a_model_that_says_something_else_is_rejected(model: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(model, tmp_path / "model"))
    golden = pd.read_parquet(other / "golden.parquet")
    write_table(Table(golden.assign(**{"mlworkflow.prediction": golden["mlworkflow.prediction"] + 0.01})), other / "golden.parquet")  # fmt: skip
    assert "it says something else than at training: prediction of row 0: " in serving.problem(other)
    assert serving.problem(other, tolerance=1.0) == ""


def test_a_process_that_dies_or_hangs_is_a_problem_too(model: Path, tmp_path: Path) -> None:
    assert serving.problem(tmp_path).startswith(f"'{tmp_path.name}' is no model: it has no bundle.json")
    assert serving.problem(model, seconds=0.01) == "it was not loaded and had not predicted its golden rows after 0.01 seconds"  # fmt: skip
    script = (
        "import resource, sys; from pathlib import Path; from mlworkflow_steps.models import serving\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (1, 1)); print(serving.problem(Path(sys.argv[1])))"
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script, str(model)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("the process that loads it died of SIGKILL"), done.stderr


# ── features that travel with the model ────────────────────────────────────────────────────────────────────────────────


def test_a_model_on_features_takes_raw_rows_has_raw_golden_ones_and_tells_raw_skew(
    run_step: Any, tmp_path: Path
) -> None:
    features = [{"columns": ["temp", "hour"], "scale": "standard"}, {"columns": ["site"], "encode": "oneHot"}]
    spec = {
        "source": {"path": str(stored(rides(600, 1), tmp_path))},
        "target": "demand",
        "features": features,
        "columns": {"exclude": ["note", "ride"]},
    }
    prepared = run_step("prep", {**spec, "split": {"test": 0.2}})
    assert prepared.code == 0, prepared.log
    inputs = {"train": prepared.output("train"), "preprocessor": prepared.output("preprocessor")}
    trained = run_step("train", {"estimator": "sklearn.linear_model.Ridge"}, inputs)
    assert trained.code == 0, trained.log
    golden = pd.read_parquet(trained.output("model") / "golden.parquet")
    assert golden["site"].isin(["north", "south"]).all()
    assert serving.problem(trained.output("model")) == ""
    rows = rides(400, 2).drop(columns="demand")
    moved = rows.assign(temp=rows["temp"] + 4)
    done = run_step("predict", {"keep": ["ride"]}, {"model": trained.output("model"), "data": stored(moved, tmp_path)})
    assert done.code == 0, done.log
    assert json.loads((done.output("params") / "skewed").read_text()) == ["temp"]
    found = pd.read_parquet(done.output("predictions"))["prediction"]
    truth = moved["hour"] + 2 * moved["temp"] + 5 * (moved["site"] == "north")
    assert (found - truth).abs().median() < 1

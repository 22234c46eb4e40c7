"""`evaluate` with all that `train` can leave: features of one's own, labels, clusters, partitions, and models that cannot be served."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlworkflow_steps.data.table import Table, write_table

from tests.unit.steps.test_bundle import rename

SOURCE = {"source": {"sklearn": "wine"}, "target": "target", "split": {"test": 0.4}}
TREE = {"use": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 4}}


@pytest.fixture(scope="module")
def raw(run_here: Any) -> Any:
    return run_here("prep", SOURCE)


@pytest.fixture(scope="module")
def tree(run_here: Any, raw: Any) -> Any:
    return run_here("train", {"estimator": TREE}, {"train": raw.output("train")})


def test_models_with_features_of_their_own_are_compared_on_raw_rows(run_here: Any, in_process: Any, raw: Any) -> None:
    """Each makes its own features; a table of one's features tells the other nothing."""
    models, tables = [], []
    for scale in ("standard", "minMax"):
        features = {"features": [{"columns": ["alcohol", "proline"], "scale": scale}], "remainder": "drop"}
        made = run_here("prep", SOURCE | features)
        inputs = {name: made.output(name) for name in ("train", "preprocessor")}
        trained = run_here("train", {"estimator": "sklearn.linear_model.LogisticRegression"}, inputs)
        assert trained.code == 0, trained.failure
        models.append(trained.output("model"))
        tables.append(made.output("test"))
    inputs = {"model": models[0], "champion": models[1], "test": raw.output("test")}
    done = run_here("evaluate", {"slices": [{"column": "hue", "bins": 2}]}, inputs)
    assert done.code == 0, done.failure
    scores = json.loads(done.output("scores").read_text())
    assert {each["feature"] for each in scores["importances"]} == {"alcohol", "proline"}
    assert scores["champion"]["metrics"]["accuracy"] > scores["baseline"]["accuracy"]
    assert [part["column"] for part in scores["slices"]] == ["hue", "hue"]
    failure = in_process("evaluate", {}, inputs | {"test": tables[0]})
    assert failure.reason == "FeatureCodeMismatch"
    assert failure.message.startswith(
        "the input 'champion' cannot be compared: the table holds features made by sha256:"
    )


@pytest.fixture(scope="module")
def weather(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table for every task: two labels as columns, the same as lists, a place with few rows."""
    random = np.random.RandomState(0)
    frame = pd.DataFrame({"temp": random.normal(10, 8, 240), "hum": random.rand(240)})
    frame["cold"], frame["wet"] = (frame["temp"] < 5).astype(int), (frame["hum"] > 0.6).astype(int)
    frame["tags"] = [[name for name in ("cold", "wet") if row[name]] for _, row in frame.iterrows()]
    frame["place"] = np.where(np.arange(240) % 40 == 0, "hill", np.where(np.arange(240) % 2, "coast", "plain"))
    file = tmp_path_factory.mktemp("weather") / "table.parquet"
    write_table(Table(frame), file)
    return file


def _without(file: Path, folder: Path, *columns: str) -> Path:
    target = folder / "table.parquet"
    write_table(Table(pd.read_parquet(file).drop(columns=list(columns))), target)
    return target


@pytest.mark.parametrize("target", [["cold", "wet"], "tags"], ids=["columns", "lists"])
def test_labels(run_here: Any, weather: Path, tmp_path: Path, target: Any) -> None:
    table = _without(weather, tmp_path, "place", *(["tags"] if target != "tags" else ["cold", "wet"]))
    estimator = {"use": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 10}}
    trained = run_here("train", {"estimator": estimator, "target": target}, {"train": table})
    assert trained.code == 0, trained.failure
    done = run_here("evaluate", {"gate": {"f1_micro": {"min": 0.9}}}, {"model": trained.output("model"), "test": table})
    assert done.code == 0, done.failure
    scores = json.loads(done.output("scores").read_text())
    assert [row["label"] for row in scores["classes"]] == ["cold", "wet"]
    assert scores["metrics"]["roc_auc"] > 0.99
    assert scores["metrics"]["subset_accuracy"] > scores["baseline"]["subset_accuracy"]


def test_clusters(run_here: Any, in_process: Any, weather: Path, tmp_path: Path) -> None:
    table = _without(weather, tmp_path, "place", "tags", "cold", "wet")
    parts = [{"use": "sklearn.preprocessing.StandardScaler"}, {"use": "sklearn.cluster.KMeans", "params": {"n_clusters": 3, "n_init": 1}}]  # fmt: skip
    trained = run_here("train", {"estimator": {"pipeline": parts}}, {"train": table})
    assert trained.code == 0, trained.failure
    inputs = {"model": trained.output("model"), "test": table}
    done = run_here("evaluate", {"gate": {"silhouette": {"min": 0.2}}}, inputs)
    assert done.code == 0, done.failure
    assert done.params.keys() == {"silhouette", "davies_bouldin", "calinski_harabasz", "passed"}
    assert in_process("evaluate", {"slices": ["temp"]}, inputs).message.startswith(
        "evaluate.slices: is for predictions"
    )


def test_partitions_are_slices_too(run_here: Any, weather: Path, tmp_path: Path) -> None:
    table = _without(weather, tmp_path, "tags", "wet", "hum")
    spec = {"estimator": TREE, "target": "cold", "partition": {"by": "place", "minRows": 20}}
    trained = run_here("train", spec, {"train": table})
    assert trained.code == 0, trained.failure
    done = run_here("evaluate", {"slices": ["place"], "gate": {"accuracy": {"slices": {"min": 0.9, "minSamples": 50}}}}, {"model": trained.output("model"), "test": table})  # fmt: skip
    assert done.code == 0, done.failure
    scores = json.loads(done.output("scores").read_text())
    assert [(part["label"], part["rows"]) for part in scores["slices"]] == [("coast", 120), ("hill", 6), ("plain", 114)]
    assert [check["judged"] for check in scores["gate"]] == [True, False, True]


def test_what_cannot_be_served_is_rejected_with_whatever_else_is_wrong(
    run_here: Any, raw: Any, tree: Any, tmp_path: Path
) -> None:
    inputs = {"model": tree.output("model"), "test": raw.output("test")}
    spec = {"canServe": True, "gate": {"accuracy": {"min": 0.5}}}
    assert run_here("evaluate", spec, inputs).code == 0
    other = Path(shutil.copytree(inputs["model"], tmp_path / "other"))
    golden = pd.read_parquet(other / "golden.parquet")
    write_table(Table(golden.assign(**{"mlworkflow.prediction": 2 - golden["mlworkflow.prediction"]})), other / "golden.parquet")  # fmt: skip
    failed = run_here("evaluate", spec | {"gate": {"accuracy": {"min": 1.01}}}, inputs | {"model": other})
    assert (failed.code, failed.failure["reason"]) == (1, "GateFailed")
    assert failed.failure["message"].startswith("the model cannot be served: it says something else than at training: ")
    assert failed.failure["message"].endswith(" is below the gate's minimum 1.01")
    assert "can be loaded and predicts (it says something else" in failed.output("report").read_text()


def test_what_the_serving_image_says_is_a_rule_of_the_gate(run_here: Any, raw: Any, tree: Any, tmp_path: Path) -> None:
    """The verdict is that of a `rehearse` step which says it and goes on."""
    model = tree.output("model")
    spec = {"canServe": {"image": "serving:1.4"}, "gate": {"accuracy": {"min": 0.5}}}
    said = run_here("rehearse", {"level": "warn"}, {"model": model})
    inputs = {"model": model, "test": raw.output("test"), "serving": said.output("verdict")}
    done = run_here("evaluate", spec, inputs)
    assert done.code == 0, done.failure
    assert "can be loaded and predicts (in serving:1.4)" in done.output("report").read_text()
    broken = Path(shutil.copytree(model, tmp_path / "broken"))
    rename(broken / "model.skops", "sklearn.tree._classes", "lightgbm.absent")
    said = run_here("rehearse", {"level": "warn"}, {"model": broken})
    assert (said.code, said.params) == (0, {"passed": False})
    failed = run_here("evaluate", spec, inputs | {"serving": said.output("verdict")})
    assert (failed.code, failed.failure["reason"]) == (1, "GateFailed")
    assert failed.failure["message"].startswith("the model cannot be served: in serving:1.4: ")
    assert "lightgbm.absent" in failed.failure["message"]


def test_a_model_that_cannot_even_be_loaded_fails_the_gate_with_the_reason(
    run_here: Any, raw: Any, tree: Any, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(tree.output("model"), tmp_path / "broken"))
    rename(broken / "model.skops", "sklearn.tree._classes", "lightgbm.absent")
    inputs = {"model": broken, "test": raw.output("test")}
    failed = run_here("evaluate", {"canServe": True, "gate": {"accuracy": {"min": 0.5}}}, inputs)
    assert (failed.code, failed.failure["reason"]) == (1, "GateFailed")
    assert failed.failure["message"].startswith("the model cannot be served: ")
    assert "lightgbm.absent" in failed.failure["message"]

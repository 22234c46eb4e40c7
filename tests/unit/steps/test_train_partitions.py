"""`train` with `partition`: a model for each value that has enough to go by, the parent for the rest, and one way to ask them all."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import mlworkflow_steps
import numpy as np
import pandas as pd
import pytest
from mlworkflow_steps.errors import StepFailure

from tests.unit.steps.training import TREE, Trained, as_process, ended, killed_when, rows, train_here

LINE = "sklearn.linear_model.LinearRegression"
SLOPES = {"oslo": 1.0, "rome": -2.0, "lima": 5.0, "nome": 0.5}


def cities(number: int = 50, few: int = 10, seed: int = 0) -> pd.DataFrame:
    """Each city has a slope of its own; the last one has a few rows only."""
    random = np.random.RandomState(seed)
    frames = []
    for city, slope in SLOPES.items():
        a = random.normal(size=few if city == "nome" else number)
        frames.append(pd.DataFrame({"a": a, "city": city, "y": slope * a + 0.01 * random.normal(size=len(a))}))
    return pd.concat(frames).sample(frac=1, random_state=seed).reset_index(drop=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    spec = {"estimator": LINE, "cv": 3, "partition": {"by": "city", "minRows": 20}}
    return train_here(tmp_path_factory.mktemp("trained"), spec, train=cities())


def test_three_cities_have_a_model_and_the_small_one_is_the_parent_s(trained: Trained) -> None:
    said = json.loads((trained.root / "out" / "model" / "router.json").read_text())
    own = {"lima": "partitions/0000", "oslo": "partitions/0002", "rome": "partitions/0003"}
    assert (said["column"], said["fallback"], said["partitions"]) == ("city", "parent", {**own, "nome": "parent"})
    assert said["why"] == {"nome": "10 rows, and minRows is 20"}
    assert said["rows"] == {"lima": 50, "nome": 10, "oslo": 50, "rome": 50}
    assert (trained.params["partition_count"], trained.params["fallback_count"]) == (3, 1)
    assert trained.params["partitions"] == said["partitions"]
    assert sorted(path.name for path in (trained.root / "out/model/partitions").iterdir()) == ["0000", "0002", "0003"]


def test_the_whole_is_a_model_of_mlflow_s(trained: Trained) -> None:
    path = trained.root / "out" / "model"
    flavour = json.loads((path / "MLmodel").read_text())["flavors"]["python_function"]
    loaded = importlib.import_module(flavour["loader_module"])._load_pyfunc(str(path))
    assert loaded.predict(cities(seed=1)).tolist() == trained.model.predict(cities(seed=1)).tolist()


def test_each_row_is_predicted_by_the_model_of_its_value(trained: Trained) -> None:
    frame = pd.DataFrame({"city": ["rome", "nome", "oslo", "paris", None, "rome"], "a": [1.0, 1.0, 2.0, 1.0, 1.0, 3.0]})
    found = trained.model.predict(frame)
    assert found[[0, 2, 5]] == pytest.approx([-2.0, 2.0, -6.0], abs=0.1)
    top = trained.root / "out" / "model"
    parent = mlworkflow_steps.load(top / "parent").predict(frame)
    assert list(found[[1, 3, 4]]) == list(parent[[1, 3, 4]])
    assert list(mlworkflow_steps.load(top / "partitions" / "0003").predict(frame)[[0, 5]]) == list(found[[0, 5]])


def test_a_partitioned_model_answers_as_any_other(trained: Trained) -> None:
    model = trained.model
    assert (model.task, model.classes, model.manifest.target) == ("regression", [], "y")
    assert list(model.schema.columns) == ["city", "a", "y"]
    assert not hasattr(model, "predict_proba")
    assert list(model.columns_of(cities()).columns) == ["a", "city"]
    assert len(pd.read_parquet(trained.root / "out/model/golden.parquet").city.unique()) == 4
    with pytest.raises(StepFailure, match="lacks column 'city', which says by which model a row is predicted"):
        model.predict(pd.DataFrame({"a": [1.0]}))


def test_a_partition_that_is_not_good_enough_falls_back_and_says_why(tmp_path: Path) -> None:
    frame = cities()
    noise = np.random.RandomState(3).normal(size=len(frame))
    frame.loc[frame.city == "rome", "y"] = noise[frame.city == "rome"]
    limits = {"r2": 0.9, "rmse": 0.1}
    spec = {"estimator": LINE, "cv": 3, "partition": {"by": "city", "minRows": 1, "minMetric": limits}}
    trained = train_here(tmp_path, spec, train=frame)
    said = json.loads((tmp_path / "out/model/router.json").read_text())
    assert set(said["why"]) == {"rome"}
    assert said["why"]["rome"].startswith("cv_rmse is ")
    assert "minMetric is 0.1" in said["why"]["rome"]
    assert trained.params["partition_count"] == 3


def test_a_partition_that_cannot_be_trained_falls_back(tmp_path: Path) -> None:
    frame = rows()[["a", "b", "y", "part"]]
    frame.loc[frame.part == "z", "y"] = "low"  # one class, which a logistic regression refuses
    spec = {"estimator": "sklearn.linear_model.LogisticRegression", "partition": {"by": "part", "minRows": 10}}
    trained = train_here(tmp_path, spec, train=frame)
    said = json.loads((tmp_path / "out/model/router.json").read_text())
    assert "needs samples of at least 2 classes" in said["why"]["z"]
    assert trained.params["fallback_count"] == 1


def test_probabilities_are_in_the_order_of_all_classes(tmp_path: Path) -> None:
    frame = rows()[["a", "b", "y", "part"]]
    frame.loc[(frame.part == "z") & (frame.y == "high"), "y"] = "middle"
    spec = {"estimator": "sklearn.naive_bayes.GaussianNB", "partition": {"by": "part", "minRows": 10}}
    model = train_here(tmp_path, spec, train=frame).model
    assert model.classes == ["high", "low", "middle"]
    found = model.predict_proba(frame)
    assert found.sum(axis=1) == pytest.approx([1.0] * len(frame))
    z = (frame.part == "z").to_numpy()
    assert (found[z, 0].max(), found[~z, 2].max()) == (0.0, 0.0)
    assert list(np.array(model.classes)[found.argmax(axis=1)]) == list(model.predict(frame))


def test_numbers_as_values_are_the_same_whatever_a_file_made_of_them(tmp_path: Path) -> None:
    frame = cities().assign(city=lambda frame: frame.city.map({"oslo": 1, "rome": 2, "lima": 3, "nome": 4}))
    model = train_here(tmp_path, {"estimator": LINE, "partition": {"by": "city", "minRows": 20}}, train=frame).model
    assert set(model.routes.partitions) == {"1", "2", "3", "4"}
    whole, floats = pd.DataFrame({"a": [1.0, 1.0], "city": [2, 3]}), pd.DataFrame({"a": [1.0, 1.0], "city": [2.0, 3.0]})
    assert model.predict(whole) == pytest.approx([-2.0, 5.0], abs=0.1)
    assert list(model.predict(floats)) == list(model.predict(whole))


def test_killed_between_two_partitions_it_goes_on_there_to_the_same_bytes(tmp_path: Path) -> None:
    forest = {"use": "sklearn.ensemble.RandomForestRegressor", "params": {"n_estimators": 50}}
    spec = {"estimator": forest, "cv": 2, "partition": {"by": "city", "minRows": 20}, "seed": 2}
    table = pd.concat(
        [cities(25), cities(2500, seed=1).query("city == 'rome'")]
    )  # the last one takes by far the longest
    checkpoint = tmp_path / "checkpoint"
    attempt = as_process(tmp_path / "killed", spec, checkpoint, train=table)
    killed_when(attempt, lambda: any(checkpoint.glob("*/partitions-0000")))
    said = ended(as_process(tmp_path / "goes-on", spec, checkpoint, train=table))
    for name in ("parent", "partitions-0000", "partitions-0000-fold-2"):
        assert f"{name}: known from the attempt before" in said
    assert "partitions-0003: known" not in said
    whole = train_here(tmp_path / "whole", spec, train=table)
    assert Trained(tmp_path / "goes-on").bytes() == whole.bytes()
    assert Trained(tmp_path / "goes-on").params == whole.params


@pytest.mark.parametrize(
    ("partition", "reason", "words"),
    [
        ({}, "SpecInvalid", "train.partition.by: is missing"),
        ({"by": "town"}, "ColumnNotFound", "train.partition.by: the table has no column 'town'"),
        ({"by": "city", "minMetric": {"r2": 0.5}}, "SpecInvalid", "train.partition.minMetric: is about the mean over the folds"),
        ({"by": "id"}, "PartitionInvalid", "train.partition.by: column 'id' has 1001 values; a partitioned model has at most 1000"),
    ],
)  # fmt: skip
def test_mistakes_are_named(partition: dict[str, Any], reason: str, words: str, tmp_path: Path) -> None:
    frame = rows(1001)[["a", "q"]].assign(city="x", id=range(1001)).rename(columns={"q": "y"})
    frame = frame if partition.get("by") == "id" else frame.drop(columns="id")
    with pytest.raises(StepFailure) as caught:
        train_here(
            tmp_path,
            {"estimator": TREE, "partition": partition},
            train=frame.drop(columns="city") if "city" not in str(partition) else frame,
        )
    assert (caught.value.reason, words in caught.value.message) == (reason, True), caught.value.message


def test_a_router_that_leads_out_of_its_directory_is_refused(trained: Trained, tmp_path: Path) -> None:
    import shutil

    model = Path(shutil.copytree(trained.root / "out" / "model", tmp_path / "model"))
    said = json.loads((model / "router.json").read_text())
    (model / "router.json").write_text(json.dumps({**said, "fallback": "../../elsewhere"}))
    with pytest.raises(StepFailure, match="is no folder of the model"):
        mlworkflow_steps.load(model)

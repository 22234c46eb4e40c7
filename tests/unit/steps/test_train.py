"""`train`: what a bundle is, that its bytes are the same every time, and that loading one runs nobody's code."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import mlworkflow_steps
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

from tests.unit.steps.conftest import FOREST

SIMPLE = "sklearn.linear_model.LogisticRegression"


def test_the_digits_forest_is_cross_validated_and_good(forest: Any) -> None:
    assert forest.code == 0, forest.log
    assert forest.params["cv_accuracy"] > 0.93
    assert forest.params["cv_accuracy_std"] < 0.02
    series = [(metric["step"], metric["value"]) for metric in forest.metrics if metric["name"] == "cv_accuracy"]
    assert [step for step, _ in series] == [1, 2, 3]
    assert series[-1][1] == forest.params["cv_accuracy"]
    folds = [metric["value"] for metric in forest.metrics if metric["name"] == "fold_accuracy"]
    assert np.mean(folds) == pytest.approx(forest.params["cv_accuracy"])
    assert any(metric["name"] == "fit_seconds" for metric in forest.metrics)
    assert "fit_seconds" not in forest.params


def test_the_bundle_is_the_whole_pipeline(forest: Any, digits: Any) -> None:
    model = mlworkflow_steps.load(forest.output("model"))
    assert [name for name, _ in model.estimator.steps] == ["binarize", "forest"]
    test = pd.read_parquet(digits.output("test"))
    assert (model.predict(test) == test["target"]).mean() > 0.94
    assert model.predict_proba(test).shape == (540, 10)
    assert (model.task, model.classes, model.schema.target) == ("classification", list(range(10)), "target")
    facts = json.loads((forest.output("model") / "bundle.json").read_text())
    assert (facts["target"], facts["seed"], facts["spec"], facts["params"]) == ("target", 7, FOREST, {"max_depth": 8})
    assert facts["features"][0] == "pixel_0_0"
    assert model.schema.columns["pixel_0_0"].type == "number"
    assert (facts["inputs"], facts["rows"]) == ({"train": f"sha256:{0:064x}"}, 1257)
    assert facts["metrics"]["cv_accuracy"] == forest.params["cv_accuracy"]
    assert "scikit-learn==" in (forest.output("model") / "requirements.txt").read_text()


def test_two_processes_make_the_same_bytes_and_another_seed_makes_others(
    run_step: Any, digits: Any, forest: Any
) -> None:
    spec = {"estimator": FOREST, "params": {"max_depth": 8}, "cv": 3, "seed": 7}
    again = run_step("train", spec, {"train": digits.output("train")}, PYTHONHASHSEED="2", TZ="Asia/Tokyo")
    assert again.digests("model") == forest.digests("model")
    other = run_step("train", {**spec, "seed": 8}, {"train": digits.output("train")})
    assert other.digests("model")["model.skops"] != forest.digests("model")["model.skops"]


def test_the_bundles_files_have_fixed_modes_dates_and_names(forest: Any) -> None:
    names = {file.name for file in forest.output("model").iterdir()}
    assert names == {
        "bundle.json",
        "model.skops",
        "golden.parquet",
        "statistics.parquet",
        "requirements.txt",
        "card.md",
        "MLmodel",
    }
    for file in forest.output("model").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
    with zipfile.ZipFile(forest.output("model") / "model.skops") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert sorted(archive.namelist()) == archive.namelist()
        assert max(len(name) for name in archive.namelist()) < 12


def test_a_mixed_table_goes_through_a_column_transformer(run_step: Any, bike_file: Path) -> None:
    prepared = run_step(
        "prep",
        {
            "source": {"path": str(bike_file)},
            "target": "demand",
            "split": {"test": 0.3},
            "columns": {"exclude": ["days"]},
        },
    )
    encode = {"name": "encode", "columns": [{"use": "sklearn.preprocessing.OrdinalEncoder", "select": ["dayOfWeek"]}]}
    estimator = {"pipeline": [encode, {"name": "boost", "use": "sklearn.ensemble.HistGradientBoostingRegressor"}]}
    runs = [
        run_step("train", {"estimator": estimator, "cv": 3}, {"train": prepared.output("train")}, PYTHONHASHSEED=seed)
        for seed in "12"
    ]
    assert runs[0].code == 0, runs[0].log
    assert runs[0].digests("model") == runs[1].digests("model")
    scores = ("rmse", "mae", "r2")
    assert set(runs[0].params) == {
        f"{form}_{name}{end}" for name in scores for form, end in (("cv", ""), ("cv", "_std"), ("fold", ""))
    }
    assert runs[0].params["cv_r2"] > 0.9
    model = mlworkflow_steps.load(runs[0].output("model"))
    test = pd.read_parquet(prepared.output("test"))
    assert r2_score(test["demand"], model.predict(test)) > 0.9
    assert not hasattr(model, "predict_proba")


@pytest.mark.parametrize(
    "estimator",
    [
        "sklearn.svm.SVC",
        "sklearn.ensemble.GradientBoostingClassifier",
        "sklearn.neighbors.KNeighborsClassifier",
        "sklearn.neural_network.MLPClassifier",
        {"pipeline": ["sklearn.preprocessing.SplineTransformer", "sklearn.linear_model.RidgeClassifier"]},
        {"pipeline": ["sklearn.feature_selection.SelectKBest", "sklearn.naive_bayes.GaussianNB"]},
        {"use": "sklearn.ensemble.BaggingClassifier", "params": {"estimator": {"use": SIMPLE, "params": {"C": 2.0}}}},
        {"use": "sklearn.ensemble.StackingClassifier", "params": {"estimators": [["a", {"use": SIMPLE}]], "cv": 2}},
    ],
    ids=lambda estimator: str(estimator)[:60],
)
def test_estimators_of_many_kinds_survive_the_bundle_byte_for_byte(estimator: Any, tmp_path: Path) -> None:
    import skops.io
    from mlworkflow_steps.models.canonical import canonical
    from mlworkflow_steps.models.estimator import build, set_seed
    from mlworkflow_steps.models.trust import trusted_types
    from sklearn.datasets import load_iris

    features, target = load_iris(return_X_y=True, as_frame=True)
    dumps = []
    for _ in range(2):
        model = build(estimator, ("sklearn.",), "estimator")
        set_seed(model, 3)
        model.fit(features[:-5], target[:-5].to_numpy())
        dumps.append(canonical(skops.io.dumps(model)))
    assert dumps[0] == dumps[1]
    loaded = skops.io.loads(dumps[0], trusted=trusted_types(skops.io.get_untrusted_types(data=dumps[0]), ("sklearn.",)))
    assert canonical(skops.io.dumps(loaded)) == dumps[0]
    assert np.array_equal(loaded.predict(features), model.predict(features))


def test_sets_are_sorted_whatever_the_order_of_their_hashes() -> None:
    import skops.io
    from mlworkflow_steps.models.canonical import canonical

    words = {f"word{i}" for i in range(50)}
    grown = words | {str(i) for i in range(10_000)}
    for i in range(10_000):
        grown.discard(str(i))
    assert list(grown) != list(words)
    assert canonical(skops.io.dumps({"s": grown})) == canonical(skops.io.dumps({"s": words}))


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"estimator": "os.system"}, "ImportNotAllowed", "train.estimator: 'os.system' may not be imported; allowed are names that start with sklearn., lightgbm., xgboost."),
        ({"estimator": "sklearn.ensemble.RandomForestClasifier"}, "EstimatorInvalid", "did you mean 'RandomForestClassifier'?"),
        ({"estimator": "sklearn.model_selection.KFold"}, "EstimatorInvalid", "is no estimator"),
        ({"estimator": "sklearn.nothing.Here"}, "EstimatorInvalid", "there is no module 'sklearn.nothing'"),
        ({"estimator": "sklearn.preprocessing.Binarizer"}, "EstimatorInvalid", "predicts neither classes nor a quantity, and finds no clusters"),
        ({"estimator": {"pipeline": []}}, "SpecInvalid", "train.estimator.pipeline: must be a list with at least one entry"),
        ({"estimator": {"pipeline": [{"use": SIMPLE, "name": "a"}, {"use": SIMPLE, "name": "a"}]}}, "SpecInvalid", "the name 'a' is there twice"),
        ({"estimator": {"pipeline": [SIMPLE, "os.path"]}}, "ImportNotAllowed", "train.estimator.pipeline[1]: 'os.path'"),
        ({"estimator": FOREST, "params": {"max_dept": 3}}, "ParamsInvalid", "train.params.max_dept: Pipeline has no such parameter; did you mean 'forest__max_depth'?"),
        ({"estimator": FOREST, "params": {"threshold": 3}}, "ParamsInvalid", "did you mean 'binarize__threshold'?"),
        ({"estimator": "sklearn.ensemble.StackingClassifier"}, "ParamsInvalid", "train.estimator: StackingClassifier needs the parameter 'estimators'"),
        ({"estimator": FOREST, "params": {"max_depth": "deep"}}, "FitFailed", "max_depth"),
        ({"estimator": SIMPLE, "target": "digit"}, "ColumnNotFound", "train.target: the table has no column 'digit'"),
        ({"estimator": SIMPLE, "cv": 3, "scoring": ["rmse"]}, "MetricUnknown", "train.scoring: 'rmse' is no metric of a classification; known are: accuracy"),
        ({"estimator": SIMPLE, "cv": 1}, "SpecInvalid", "train.cv: must be a whole number of at least 2, not 1"),
        ({"estimator": SIMPLE, "cv": {"folds": 500}}, "SplitInvalid", "train.cv: 500 folds need as many rows of every class"),
        ({"estimator": SIMPLE, "sed": 1}, "SpecInvalid", "train.sed: is no field; known here: cv, target, estimator, params, scoring, sampleWeight, classWeight, earlyStopping, partition, card, onnx, seed"),
    ],
)  # fmt: skip
def test_mistakes_are_named(spec: dict[str, Any], reason: str, words: str, in_process: Any, digits: Any) -> None:
    failure = in_process("train", spec, {"train": digits.output("train")})
    assert (failure.reason, words in failure.message) == (reason, True), failure.message

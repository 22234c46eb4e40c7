"""`train`: tasks, weights, folds and rounds, each on a table of a hundred rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from mlworkflow_steps.data.sparse import frame_of
from mlworkflow_steps.data.table import Table, read_table, write_table
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models.crossval import CrossValidation
from mlworkflow_steps.models.rows import Rows

from tests.unit.steps.training import FOREST, TREE, evaluated, prepared, rows, train_here

TWO = ["a", "b"]


def only(frame: pd.DataFrame, *more: str) -> pd.DataFrame:
    return frame[[*TWO, *more]]


def failure(root: Path, spec: dict[str, Any], **given: Any) -> StepFailure:
    with pytest.raises(StepFailure) as caught:
        train_here(root, spec, **given)
    return caught.value


def test_a_row_without_weight_might_as_well_not_be_there(tmp_path: Path) -> None:
    frame = rows()
    spec = {"estimator": TREE, "target": "q", "sampleWeight": "weight"}
    weighted = train_here(tmp_path / "weighted", spec, train=only(frame, "q", "weight"))
    half = train_here(tmp_path / "half", {"estimator": TREE, "target": "q"}, train=only(frame[frame.weight > 0], "q"))
    assert list(weighted.model.predict(frame[TWO])) == list(half.model.predict(frame[TWO]))


def test_weights_reach_the_last_part_of_a_pipeline_and_are_no_feature(tmp_path: Path) -> None:
    estimator = {"pipeline": ["sklearn.preprocessing.StandardScaler", "sklearn.linear_model.LinearRegression"]}
    frame = rows().assign(q=lambda frame: np.where(frame.weight > 0, 7.0, 100.0))
    trained = train_here(
        tmp_path, {"estimator": estimator, "target": "q", "sampleWeight": "weight"}, train=only(frame, "q", "weight")
    )
    assert trained.model.predict(frame[TWO].head(3)) == pytest.approx([7.0] * 3)


def test_balanced_classes_and_named_weights(tmp_path: Path) -> None:
    frame = only(rows(), "y").assign(a=0.0, b=0.0)  # nothing to learn from but the classes' weights
    model = "sklearn.linear_model.LogisticRegression"

    def shares(name: str, weight: Any) -> dict[str, float]:
        fitted = train_here(tmp_path / name, {"estimator": model, "classWeight": weight}, train=frame).model
        return dict(zip(fitted.classes_, fitted.predict_proba(frame[TWO].head(1))[0], strict=True))

    assert shares("balanced", "balanced")["high"] == pytest.approx(0.5, abs=1e-3)
    high = int((frame.y == "high").sum())
    assert shares("named", {"high": 3})["high"] == pytest.approx(3 * high / (3 * high + 120 - high), abs=1e-3)


def test_groups_are_in_one_fold_each_and_time_is_never_looked_ahead() -> None:
    frame = rows()
    table = Rows(frame[TWO], frame.y.to_numpy(), groups=frame.group.to_numpy(), time=frame.day.to_numpy(), folds=frame.part.to_numpy())  # fmt: skip
    for stratify in (None, True):
        for learn, unseen in CrossValidation(folds=3, groups="group", stratify=stratify).divide(
            "classification", table
        ):
            assert not set(table.take(learn).groups) & set(table.take(unseen).groups)  # type: ignore[arg-type]
    by_time = CrossValidation(folds=4, time="day").divide("regression", table)
    assert len(by_time) == 4
    for learn, unseen in by_time:
        assert frame.day.iloc[learn].max() < frame.day.iloc[unseen].min()
    assert sorted(np.concatenate([unseen for _, unseen in by_time])) == sorted(set(range(120)) - set(by_time[0][0]))
    declared = CrossValidation(fold="part").divide("classification", table)
    assert [set(frame.part.iloc[unseen]) for _, unseen in declared] == [{"x"}, {"y"}, {"z"}]


def test_every_fold_s_scores_are_told_and_left(tmp_path: Path) -> None:
    spec = {"estimator": FOREST, "cv": {"fold": "part"}, "scoring": ["accuracy", "roc_auc"]}
    trained = train_here(tmp_path, spec, train=only(rows(), "y", "part"))
    assert list(trained.model.estimator.feature_names_in_) == TWO
    folds = trained.params["fold_roc_auc"]
    assert len(folds) == 3
    assert trained.series("fold_roc_auc") == list(enumerate(folds, start=1))
    assert trained.params["cv_roc_auc"] == pytest.approx(np.mean(folds))
    assert trained.series("cv_roc_auc")[-1] == (3, trained.params["cv_roc_auc"])


ROUNDS = {
    "boosting": ("sklearn.ensemble.HistGradientBoostingRegressor", {"max_iter": 200, "learning_rate": 0.3}),
    "forest": ("sklearn.ensemble.RandomForestRegressor", {"n_estimators": 200}),
    "passes": ("sklearn.neural_network.MLPRegressor", {"hidden_layer_sizes": [8], "learning_rate_init": 0.05}),
    "lightgbm": ("lightgbm.LGBMRegressor", {"n_estimators": 200, "learning_rate": 0.3, "min_child_samples": 5}),
    "xgboost": ("xgboost.XGBRegressor", {"n_estimators": 200, "learning_rate": 0.5}),
}


@pytest.mark.parametrize("name", ROUNDS)
def test_early_stopping_finds_the_rounds_and_fits_all_rows_with_them(name: str, tmp_path: Path) -> None:
    path, params = ROUNDS[name]
    stopping = {"patience": 2, "validation": 0.25}
    spec = {"estimator": {"use": path, "params": params}, "target": "q", "seed": 3}
    frame = only(rows(), "q")
    trained = train_here(tmp_path / "stopped", {**spec, "earlyStopping": stopping}, train=frame)
    scores = dict(trained.series("validation_rmse"))
    found = trained.params["rounds"]
    every = 1 if name == "passes" else 10
    assert list(scores) == list(range(every, every * len(scores) + 1, every))
    assert (min(scores.values()), scores[found]) == (trained.params["validation_rmse"],) * 2
    assert found == list(scores)[-1] - 2 * every < 200
    if name == "passes":
        assert trained.model.estimator.t_ == found * len(frame)
        return
    parameter = "max_iter" if name == "boosting" else "n_estimators"
    plain = {**spec, "params": {parameter: found}, **({"estimator": {"use": path, "params": {**params, "early_stopping": False}}} if name == "boosting" else {})}  # fmt: skip
    same = train_here(tmp_path / "plain", plain, train=frame)
    assert list(same.model.predict(frame[TWO])) == list(trained.model.predict(frame[TWO]))


def test_early_stopping_in_a_pipeline_by_rows_of_their_own(tmp_path: Path) -> None:
    parts = [
        "sklearn.preprocessing.StandardScaler",
        {"use": "sklearn.linear_model.SGDClassifier", "params": {"loss": "log_loss"}},
    ]
    spec = {
        "estimator": {"pipeline": parts},
        "cv": 3,
        "earlyStopping": {"score": "log_loss", "rounds": 20},
        "classWeight": "balanced",
    }
    trained = train_here(tmp_path, spec, train=only(rows(), "y"), validation=only(rows(60, seed=1), "y"))
    steps = [step for step, _ in trained.series("validation_log_loss")]
    assert steps == list(range(1, len(steps) + 1))
    assert trained.params["validation_accuracy"] > 0.8
    assert {"cv_accuracy", "rounds", "validation_log_loss"} <= trained.params.keys()


@pytest.mark.parametrize(
    ("table", "target"),
    [("columns", ["high", "right"]), ("lists", "tags")],
)
def test_several_labels(table: str, target: Any, tmp_path: Path) -> None:
    frame = rows()
    high, right = (frame.a > 0).astype(int), (frame.b > 0).astype(int)
    tags = [[name for name, has in (("high", one), ("right", other)) if has] for one, other in zip(high, right, strict=True)]  # fmt: skip
    made = frame[TWO].assign(**({"high": high, "right": right} if table == "columns" else {"tags": tags}))
    trained = train_here(tmp_path, {"estimator": FOREST, "target": target, "cv": 3}, train=made)
    assert trained.params["cv_f1_micro"] > 0.9
    assert len(trained.params["fold_hamming_loss"]) == 3
    assert np.array_equal(np.asarray(trained.model.predict(frame[TWO])), np.column_stack([high, right]))
    found = evaluated(tmp_path / "evaluated", tmp_path / "out" / "model", made)
    assert (found["subset_accuracy"], found["hamming_loss"], found["passed"]) == (1.0, 0.0, True)


def test_several_quantities(tmp_path: Path) -> None:
    frame = rows()
    made = frame[[*TWO, "part", "q"]].assign(p=1000 * frame.b)
    boosted = {
        "use": "sklearn.ensemble.HistGradientBoostingRegressor",
        "params": {"max_iter": 20, "min_samples_leaf": 5},
    }
    spec = {
        "estimator": {"use": "sklearn.multioutput.MultiOutputRegressor", "params": {"estimator": boosted}},
        "target": ["q", "p"],
        "cv": 3,
        "partition": {"by": "part", "minMetric": {"r2": 0.5}, "minRows": 30},
    }
    trained = train_here(tmp_path, spec, train=made)
    assert trained.params["cv_r2"] > 0.6
    assert len(trained.params["fold_rmse"]) == 3
    model = trained.model
    assert (model.task, model.manifest.target) == ("multioutput", ["q", "p"])
    assert model.manifest.baseline == {"means": pytest.approx([made.q.mean(), made.p.mean()])}
    found = model.predict(made)
    assert np.corrcoef(found[:, 0], made.q)[0, 1] > 0.9 < np.corrcoef(found[:, 1], made.p)[0, 1]
    measured = evaluated(tmp_path / "evaluated", tmp_path / "out" / "model", made)
    assert measured["r2"] > 0.7
    assert measured["rmse"] > 50, "the mean over both, of which one is counted in thousands"
    assert train_here(tmp_path / "again", spec, train=made).bytes() == trained.bytes()


def test_several_quantities_of_declared_features(tmp_path: Path) -> None:
    """One of them is the target of `prep`, the others are kept beside: none is a feature, and rows to predict need none."""
    frame = rows()[[*TWO, "q"]].assign(y=lambda frame: 1000 * frame.b)
    made = prepared(tmp_path / "prep", frame, keep=["q"])
    spec = {"estimator": "sklearn.linear_model.LinearRegression", "target": ["y", "q"]}
    trained = train_here(tmp_path / "train", spec, preprocessor=made / "preprocessor", train=made / "train")
    assert trained.model.manifest.features == TWO
    assert np.allclose(trained.model.predict(frame[TWO])[:, 0], frame.y)


def test_several_quantities_stop_early_and_are_there_as_onnx(tmp_path: Path) -> None:
    frame = rows()
    network = {"use": "sklearn.neural_network.MLPRegressor", "params": {"hidden_layer_sizes": [8]}}
    spec = {"estimator": network, "target": ["q", "p"], "earlyStopping": {"rounds": 6, "every": 2}, "onnx": True}
    trained = train_here(tmp_path, spec, train=frame[[*TWO, "q"]].assign(p=frame.b))
    assert [step for step, _ in trained.series("validation_r2")] == [2, 4, 6]
    assert trained.model.manifest.onnx["converted"] is True


def test_clusters_have_scores_of_their_own_and_are_compared_with_what_is_known(tmp_path: Path) -> None:
    frame = rows()
    frame = frame.assign(a=frame.a + 20 * (frame.part == "x"), b=frame.b + 20 * (frame.part == "y"))
    estimator = {
        "pipeline": [
            "sklearn.preprocessing.StandardScaler",
            {"use": "sklearn.cluster.KMeans", "params": {"n_clusters": 3, "n_init": 3}},
        ]
    }
    known = train_here(
        tmp_path / "known", {"estimator": estimator, "target": "part"}, target="", train=only(frame, "part")
    )
    assert known.params["clusters"] == 3
    assert known.params["silhouette"] > 0.8
    assert known.params["adjusted_rand"] == 1.0
    assert known.params["inertia"] > 0
    found = evaluated(tmp_path / "evaluated", tmp_path / "known" / "out" / "model", only(frame, "part"))
    assert found["silhouette"] == pytest.approx(known.params["silhouette"])
    unknown = train_here(
        tmp_path / "unknown", {"estimator": estimator, "scoring": ["silhouette"]}, target="", train=only(frame)
    )
    assert unknown.params == {"clusters": 3, "silhouette": known.params["silhouette"]}
    mixed = train_here(
        tmp_path / "mixed",
        {"estimator": {"use": "sklearn.mixture.GaussianMixture", "params": {"n_components": 3}}},
        target="",
        train=only(frame),
    )
    assert "inertia" not in mixed.params


def test_a_column_of_texts(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"review": ["good film", "bad film", "really good", "so bad"] * 10, "y": ["+", "-", "+", "-"] * 10}
    )
    words = {"columns": [{"use": "sklearn.feature_extraction.text.TfidfVectorizer", "select": "review"}]}
    spec = {"estimator": {"pipeline": [words, "sklearn.linear_model.LogisticRegression"]}, "cv": 2}
    trained = train_here(tmp_path, spec, train=frame)
    assert trained.params["cv_accuracy"] == 1.0
    assert list(trained.model.predict(pd.DataFrame({"review": ["good", "bad bad"]}))) == ["+", "-"]


def test_features_take_what_made_them(tmp_path: Path) -> None:
    raw = only(rows(), "y", "part", "group")
    made = prepared(tmp_path / "one", raw, keep=["part", "group"])
    other = prepared(tmp_path / "two", raw.head(60), keep=["part", "group"])
    spec = {"estimator": FOREST, "cv": {"groups": "group", "folds": 2}, "partition": {"by": "part", "minRows": 10}}
    for name, folder, frame, reason, words in (
        ("none", None, made / "train", "InputMissing", "inputs: {preprocessor: {from: prep.preprocessor}}"),
        ("other", other / "preprocessor", made / "train", "FeatureCodeMismatch", "take both from the same `prep` step"),
        ("raw", made / "preprocessor", raw, "FeatureCodeMismatch", "inputs.preprocessor: the training table holds raw"),
    ):
        found = failure(tmp_path / name, spec, preprocessor=folder, train=frame)
        assert (found.reason, words in found.message) == (reason, True), found.message
    tables = {"train": made / "train", "validation": made / "test"}
    trained = train_here(tmp_path / "right", spec, preprocessor=made / "preprocessor", **tables)
    model = trained.model
    assert (model.manifest.features, list(model.schema.columns)) == (["a", "b"], ["part", "a", "b", "y"])
    assert list(model.predict(raw.tail(30))) == list(model.predict(raw)[-30:])
    table = read_table(made / "test").frame
    assert (model.predict(table) == table["y"]).mean() > 0.7
    assert trained.params["validation_accuracy"] > 0.7


def test_sparse_features_stay_sparse_and_what_is_kept_beside_them_is_none(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    matrix = scipy.sparse.random(90, 400, density=0.02, random_state=random, format="csr")
    names = [f"w{number}" for number in range(400)]
    left = np.asarray(matrix[:, :200].sum(axis=1) > matrix[:, 200:].sum(axis=1)).ravel()
    frame = frame_of(matrix, names).assign(y=np.where(left, "left", "right"), fold=np.arange(90) % 3, id="x")
    write_table(Table(frame, "y", beside=("fold", "id")), tmp_path / "table")
    spec = {"estimator": "sklearn.naive_bayes.MultinomialNB", "cv": {"fold": "fold"}}
    trained = train_here(tmp_path / "root", spec, train=tmp_path / "table")
    assert len(trained.params["fold_accuracy"]) == 3
    assert trained.model.manifest.features == names
    assert list(trained.model.predict(frame)) == list(
        trained.model.predict(pd.DataFrame(matrix.toarray(), columns=names))
    )


@pytest.mark.parametrize("path", ["lightgbm.LGBMClassifier", "xgboost.XGBClassifier"])
def test_the_boosting_libraries_make_the_same_bytes_twice(path: str, tmp_path: Path) -> None:
    frame = only(rows(), "y").assign(y=lambda frame: (frame.y == "high").astype(int))
    spec = {
        "estimator": {"use": path, "params": {"n_estimators": 8, "subsample": 0.7, "max_bin": 63}},
        "cv": 3,
        "seed": 5,
    }
    one, two = (train_here(tmp_path / name, spec, train=frame) for name in ("one", "two"))
    assert one.bytes() == two.bytes()
    assert one.params["cv_accuracy"] > 0.8


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"sampleWeight": "weigth"}, "ColumnNotFound", "train.sampleWeight: the table has no column 'weigth'"),
        ({"sampleWeight": "a"}, "ColumnInvalid", "train.sampleWeight: weights are finite and not below 0"),
        ({"sampleWeight": "part"}, "ColumnInvalid", "train.sampleWeight: column 'part' holds no numbers"),
        ({"estimator": "sklearn.neighbors.KNeighborsClassifier", "classWeight": "balanced"}, "EstimatorInvalid", "KNeighborsClassifier cannot weigh rows"),
        ({"classWeight": {"hihg": 2}}, "SpecInvalid", "train.classWeight.hihg: is no class of the target; the classes are: high, low"),
        ({"classWeight": "even"}, "SpecInvalid", "train.classWeight: must be `balanced`, or an object"),
        ({"estimator": TREE, "target": "q", "classWeight": "balanced"}, "SpecInvalid", "train.classWeight: is for classes; the task is regression"),
        ({"cv": {"groups": "group", "time": True}}, "SpecInvalid", "train.cv.time: does not go with `groups`"),
        ({"cv": {"time": "day", "shuffle": True}}, "SpecInvalid", "neither `shuffle` nor `stratify` goes with it"),
        ({"cv": {"groups": "group", "folds": 7}}, "SplitInvalid", "train.cv: 7 folds need as many groups; there are 6"),
        ({"cv": {"fold": "constant"}}, "SplitInvalid", "train.cv.fold: column 'constant' has a single value"),
        ({"cv": {"time": "constant"}}, "SplitInvalid", "train.cv: 5 folds by time need more different times"),
        ({"estimator": "sklearn.svm.SVC", "earlyStopping": {}}, "EstimatorInvalid", "train.earlyStopping: SVC is not trained in rounds"),
        ({"earlyStopping": {"score": "rmse"}}, "MetricUnknown", "train.earlyStopping.score: 'rmse' is no metric of a classification"),
        ({"earlyStopping": {"validation": 1.5}}, "SpecInvalid", "train.earlyStopping.validation: is a share above 0 and below 1"),
        ({"target": ["part", "group"]}, "TargetInvalid", "column 'part' is one of several labels and holds something else than 0 and 1"),
        ({"target": ["weight", "constant"], "estimator": "sklearn.linear_model.LogisticRegression"}, "FitFailed", "sklearn.multiclass.OneVsRestClassifier"),
        ({"target": ["q", "part"], "estimator": TREE}, "TargetInvalid", "column 'part' is one of several quantities, and not all of it are numbers"),
        ({"target": ["q", "a"], "estimator": "sklearn.ensemble.GradientBoostingRegressor"}, "FitFailed", "sklearn.multioutput.MultiOutputRegressor"),
        ({"target": ["q", "a"], "estimator": TREE, "scoring": ["f1_micro"]}, "MetricUnknown", "'f1_micro' is no metric of a multioutput; known are: rmse, mae, r2"),
        ({"estimator": "sklearn.cluster.DBSCAN"}, "EstimatorInvalid", "DBSCAN says nothing about rows that it has not seen, and so makes no model; among those that do are KMeans"),
        ({"estimator": "sklearn.cluster.KMeans", "target": "y", "cv": 3}, "SpecInvalid", "train.cv: needs something to predict"),
        ({"estimator": "sklearn.cluster.KMeans", "target": "y", "scoring": ["accuracy"]}, "MetricUnknown", "is no metric of a clustering; known are: silhouette"),
    ],
)  # fmt: skip
def test_mistakes_are_named(spec: dict[str, Any], reason: str, words: str, tmp_path: Path) -> None:
    frame = rows().assign(constant=1)
    if "part" not in str(spec):  # texts, which no estimator takes
        frame = frame.drop(columns=["part", "y"] if "q" in spec.get("target", "") else "part")
    found = failure(tmp_path, {"estimator": FOREST, **spec}, train=frame)
    assert (found.reason, words in found.message) == (reason, True), found.message

"""Evaluations of small models that are fitted here: one of each task, for tests of what is measured and of how it is shown."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
from mlworkflow_steps.data.table import Task
from mlworkflow_steps.evaluation.evaluation import About, Evaluation, Plan, evaluate
from mlworkflow_steps.evaluation.gate import Bound
from mlworkflow_steps.evaluation.intervals import Bootstrap
from mlworkflow_steps.evaluation.slices import SliceBy
from mlworkflow_steps.evaluation.subject import Subject
from mlworkflow_steps.models.scores import scores_of
from mlworkflow_steps.spec import Fields
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor


@functools.cache
def quantity(rows: int = 400) -> Evaluation:
    """Demand by hour and kind of day: a deep tree beside a shallow champion, behind a gate with a rule that does not hold."""
    random = np.random.RandomState(0)
    hour, work = random.randint(0, 24, 2 * rows), random.rand(2 * rows) < 0.6
    frame = pd.DataFrame({"hour": hour, "day": np.where(work, "work", "free"), "noise": random.rand(2 * rows)})
    frame["when"] = pd.date_range("2026-01-01", periods=2 * rows, freq="h")
    demand = 20.0 + 200 * np.exp(-((hour - np.where(work, 8, 15)) ** 2) / 12) + random.normal(0, 4, 2 * rows)
    features = ["hour", "day", "noise"]
    deep, shallow = (_piped(DecisionTreeRegressor(max_depth=depth, random_state=0)) for depth in (9, 3))
    for model in (deep, shallow):
        model.fit(frame[features][:rows], demand[:rows])
    test, true = frame[rows:].reset_index(drop=True), demand[rows:]
    baseline = {"mean": float(demand[:rows].mean())}
    gate = {"rmse": {"max": 1, "minDelta": 0, "slices": {"max": 1000, "minDelta": 0}}, "mae": {"max": 100}}
    return _evaluation("regression", deep, test, features, true, baseline, gate, ["day", "hour"], champion=shallow)


@functools.cache
def two_classes(rows: int = 300) -> Evaluation:
    """A forest's yes or no."""
    random = np.random.RandomState(0)
    frame = pd.DataFrame({"age": random.randint(18, 90, 2 * rows), "sum": random.gamma(2, 100, 2 * rows).round(2)})
    frame["country"] = np.array(["Germany", "France", "Bosnia and Herzegovina"])[random.randint(0, 3, 2 * rows)]
    chance = 1 / (1 + np.exp(-(frame["age"] - 50) / 8 + (frame["sum"] - 200) / 60))
    answer = np.where(random.rand(2 * rows) < chance, "yes", "no")
    features = ["age", "sum", "country"]
    model = _piped(RandomForestClassifier(30, max_depth=4, random_state=0), "country").fit(
        frame[features][:rows], answer[:rows]
    )
    counts = {"counts": [[name, int((answer[:rows] == name).sum())] for name in ("no", "yes")]}
    test = frame[rows:].reset_index(drop=True)
    gate = {"roc_auc": {"min": 0.5, "slices": {"min": 0.5}}, "recall": {"minDelta": 0}}
    return _evaluation("classification", model, test, features, answer[rows:], counts, gate, ["country", {"column": "age", "bins": 3}])  # fmt: skip


@functools.cache
def many_classes(count: int = 12, rows: int = 400) -> Evaluation:
    """More classes than have a place each in every chart."""
    random = np.random.RandomState(0)
    classes = np.array([f"a class with a name, no. {index}" for index in range(count)])
    code = random.randint(0, count, 2 * rows)
    frame = pd.DataFrame({f"x{index}": code * 0.9 + random.normal(0, 2 + index, 2 * rows) for index in range(3)})
    true, features = classes[code], list(frame)
    model = DecisionTreeClassifier(max_depth=6, random_state=0).fit(frame[:rows], true[:rows])
    counts = {"counts": [[name, int((true[:rows] == name).sum())] for name in classes]}
    return _evaluation("classification", model, frame[rows:].reset_index(drop=True), features, true[rows:], counts, {"accuracy": {"min": 0.99}}, [])  # fmt: skip


@functools.cache
def labels(rows: int = 300) -> Evaluation:
    random = np.random.RandomState(0)
    frame = pd.DataFrame({"temp": random.normal(10, 8, 2 * rows), "hum": random.rand(2 * rows)})
    true = np.column_stack([frame["temp"] < 5, frame["hum"] > 0.7]).astype(int)
    model = MultiOutputClassifier(LogisticRegression()).fit(frame[:rows], true[:rows])
    test = frame[rows:].reset_index(drop=True)
    shares = {"shares": true[:rows].mean(axis=0).tolist()}
    return _evaluation("multilabel", model, test, ["temp", "hum"], true[rows:], shares, {}, [], names=["cold", "wet"])


@functools.cache
def quantities(rows: int = 300) -> Evaluation:
    """Two quantities of very different size, of which one can hardly be told."""
    random = np.random.RandomState(0)
    frame = pd.DataFrame({"sun": random.rand(2 * rows), "wind": random.rand(2 * rows)})
    frame["when"] = pd.date_range("2026-01-01", periods=2 * rows, freq="h")
    power = 5000 * frame["sun"] + 800 * frame["wind"] + random.normal(0, 200, 2 * rows)
    price = 0.3 - 0.1 * frame["wind"] + random.normal(0, 0.05, 2 * rows)
    true, features = np.column_stack([power, price]), ["sun", "wind"]
    near, far = (KNeighborsRegressor(count).fit(frame[features][:rows], true[:rows]) for count in (15, 150))
    test = frame[rows:].reset_index(drop=True)
    means = {"means": true[:rows].mean(axis=0).tolist()}
    gate = {"r2": {"min": 0.4, "minDelta": 0}, "mae": {"slices": {"max": 1000}}}
    return _evaluation("multioutput", near, test, features, true[rows:], means, gate, [{"column": "wind", "bins": 3}], champion=far, names=["power", "price"])  # fmt: skip


@functools.cache
def clusters(rows: int = 300) -> Evaluation:
    random = np.random.RandomState(0)
    group = random.randint(0, 3, rows)
    frame = pd.DataFrame(random.normal(0, 0.5, (rows, 2)) + 5 * np.column_stack([group, group % 2]), columns=["x", "y"])
    model = make_pipeline(StandardScaler(), KMeans(3, n_init=1, random_state=0)).fit(frame)
    return _evaluation("clustering", model, frame, ["x", "y"], group, {}, {"silhouette": {"min": 0.2}}, [])


class AsLoaded:
    """An estimator as a bundle has it."""

    task: Task = "classification"

    def __init__(self, estimator: Any) -> None:
        self.estimator, self.predict = estimator, estimator.predict
        if hasattr(estimator, "predict_proba"):
            self.predict_proba, self.classes_ = estimator.predict_proba, estimator.classes_

    def features(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame


def _piped(model: Any, text: str = "day") -> Any:
    return make_pipeline(make_column_transformer((OneHotEncoder(), [text]), remainder="passthrough"), model)


def _evaluation(
    task: Task, model: Any, test: pd.DataFrame, features: list[str], true: Any, baseline: dict[str, Any],
    gate: dict[str, Any], slices: list[Any], *, champion: Any = None, names: list[str] | None = None,
) -> Evaluation:  # fmt: skip
    about = About(
        target="target", estimator=type(model).__name__, spec={"use": type(model).__name__}, params={}, seed=0, features=features,
        versions={"numpy": "2"}, metrics={"cv_accuracy": 0.9}, rows=len(true), baseline=baseline, training="sha256:" + 64 * "0",
    )  # fmt: skip
    plan = Plan(
        scores=scores_of(task),
        gate={name: Bound.parse(Fields(bound, f"gate.{name}")) for name, bound in gate.items()},
        slices=SliceBy.parse_all(slices, "slices"),
        time="",
        bootstrap=Bootstrap(0, 0.95),
    )
    named = None if names is None else np.array(names, dtype=object)
    subjects = [
        Subject(AsLoaded(each) if task == "clustering" else each, task, test[features], true, named)
        for each in (model, champion)
        if each is not None
    ]
    rival = (subjects[1], about) if champion is not None else None
    return evaluate(subjects[0], about, test, plan, rival)

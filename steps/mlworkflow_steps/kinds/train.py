"""`train`: an estimator by its import path, cross-validated where asked, fitted to the whole training part, kept as a bundle."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import Table, Task, file_digest, read_table
from mlworkflow_steps.errors import StepFailure, first_line
from mlworkflow_steps.models import bundle
from mlworkflow_steps.models.columns import target_of, values_of
from mlworkflow_steps.models.crossval import CrossValidation, cross_validate
from mlworkflow_steps.models.estimator import Estimator, build, describe_estimator, set_params, set_seed
from mlworkflow_steps.models.manifest import Manifest, versions
from mlworkflow_steps.models.scores import DEFAULTS, Array, scores_named
from mlworkflow_steps.spec import Fields

_OTHER_LIBRARIES = ("lightgbm", "xgboost")


@dataclass(frozen=True, slots=True)
class Train:
    """The spec of the kind, parsed."""

    estimator: Any
    params: dict[str, Any]
    target: str | None
    cv: CrossValidation | None
    scoring: list[str] | None
    seed: int

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> Train:
        fields = Fields(spec, "train")
        cv = fields.get("cv")
        parsed = cls(
            estimator=fields.get("estimator", ""),
            params=fields.mapping("params"),
            target=fields.text("target"),
            cv=None if cv is None else CrossValidation.parse(cv, fields.where("cv")),
            scoring=fields.texts("scoring"),
            seed=fields.integer("seed", 0, at_least=0, at_most=2**32 - 1),
        )
        fields.done()
        return parsed


def run(context: Context) -> None:
    """Leaves the bundle `model` and, where there are folds, each score's mean and spread as output parameters."""
    spec = Train.parse(context.spec)
    estimator = build(spec.estimator, context.allowed_imports, "train.estimator")
    set_params(estimator, spec.params, context.allowed_imports, "train.params")
    set_seed(estimator, spec.seed)
    table = read_table(context.input("train"))
    target = target_of(table, spec.target, "train.target")
    features, true = table.frame.drop(columns=target), values_of(table.frame[target])
    task = _task(estimator)
    metrics = _cross_validated(context, spec, estimator, features, true, task)
    started = time.perf_counter()
    model = _fitted(estimator, features, true)
    context.emit_metric("fit_seconds", time.perf_counter() - started)
    _keep(context, model, _manifest(context, spec, model, table, target, task, metrics), features)
    for name, value in metrics.items():
        context.set_parameter(name, value)
    print(f"{describe_estimator(model)}: {len(true)} rows, {features.shape[1]} features, target '{target}'")


def _task(estimator: Estimator) -> Task:
    if is_classifier(estimator):
        return "classification"
    if is_regressor(estimator):
        return "regression"
    raise StepFailure(
        "EstimatorInvalid", f"train.estimator: {describe_estimator(estimator)} predicts neither classes nor a quantity"
    )


def _cross_validated(
    context: Context, spec: Train, estimator: Estimator, features: pd.DataFrame, true: Array, task: Task
) -> dict[str, float]:
    """`cv_<score>` and `cv_<score>_std`, also as metrics: `fold_<score>`, and `cv_<score>` as the mean so far, which a tuner can prune by."""
    scores = scores_named(DEFAULTS[task] if spec.scoring is None else spec.scoring, task, "train.scoring")
    if spec.cv is None:
        return {}

    def report(fold: int, name: str, values: list[float]) -> None:
        context.emit_metric(f"fold_{name}", values[-1], step=fold)
        context.emit_metric(f"cv_{name}", float(np.mean(values)), step=fold)
        print(f"fold {fold}/{spec.cv.folds if spec.cv else 0}: {name} {values[-1]:.4f}", flush=True)

    splitter = spec.cv.splitter(task, true)
    try:
        results = cross_validate(estimator, features, true, splitter=splitter, scores=scores, report=report)
    except (ValueError, TypeError) as error:
        raise StepFailure("FitFailed", f"train.cv: {first_line(error)}") from error
    metrics: dict[str, float] = {}
    for name, values in results.items():
        metrics[f"cv_{name}"] = float(np.mean(values))
        metrics[f"cv_{name}_std"] = float(np.std(values))
        context.emit_metric(f"cv_{name}_std", metrics[f"cv_{name}_std"])
    return metrics


def _fitted(estimator: Estimator, features: pd.DataFrame, true: Array) -> Estimator:
    try:
        return estimator.fit(features, true)
    except (ValueError, TypeError) as error:
        raise StepFailure(
            "FitFailed", f"the estimator refuses the data or its parameters: {first_line(error)}"
        ) from error


def _keep(context: Context, model: Estimator, facts: Manifest, features: pd.DataFrame) -> None:
    """What cannot be loaded again, or then predicts something else, must not become an artifact."""
    folder = context.output("model")
    try:
        bundle.write(folder, model, facts, features)
    except StepFailure:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _manifest(
    context: Context, spec: Train, model: Estimator, table: Table, target: str, task: Task, metrics: dict[str, float]
) -> Manifest:
    values = values_of(table.frame[target])
    digest = context.digests.get("train") or file_digest(context.input("train"))
    modules = {type(part).__module__.partition(".")[0] for part in (model, *model.get_params(deep=True).values())}
    baseline: dict[str, Any]
    if task == "classification":
        labels, counts = np.unique(values, return_counts=True)
        baseline = {"counts": [[plain(label), int(count)] for label, count in zip(labels, counts, strict=True)]}
    else:
        labels, baseline = np.array([]), {"mean": float(np.mean(values))}
    return Manifest(
        task=task,
        target=target,
        classes=[plain(label) for label in labels],
        schema=bundle.raw_schema(table.frame, target).as_json(),
        features=[str(name) for name in table.frame if name != target],
        estimator=describe_estimator(model),
        spec=spec.estimator,
        params=dict(spec.params),
        seed=spec.seed,
        metrics=metrics,
        baseline=baseline,
        inputs={**context.digests, "train": digest},
        rows=len(values),
        versions=versions([name for name in _OTHER_LIBRARIES if name in modules]),
    )

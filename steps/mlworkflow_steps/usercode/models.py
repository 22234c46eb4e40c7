"""An estimator that a function of the user's has fitted, as a bundle like those of `train`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor

from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import FEATURES, Task
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models import bundle
from mlworkflow_steps.models.columns import values_of
from mlworkflow_steps.models.estimator import describe_estimator
from mlworkflow_steps.models.manifest import Manifest, versions

_OTHER_LIBRARIES = ("lightgbm", "xgboost")


def write_model(
    path: Path, estimator: Any, function: str, frames: Mapping[str, pd.DataFrame], digests: Mapping[str, str]
) -> None:
    """Leaves the bundle at `path`. What is said of its training comes from the one of `frames`, by argument, that has its features.

    Raises StepFailure where that is not known, or skops cannot store the estimator.
    """
    names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    if not names:
        raise StepFailure("ModelInvalid", "it does not know its features: fit it to a data frame, not to an array")
    argument, frame = _training_table(names, function, frames)
    if frame.attrs.get(FEATURES):
        raise StepFailure(
            "ModelInvalid",
            "it was fitted to features of `prep`; a `train` step keeps their preprocessor with the model",
        )
    target = _target(frame, names, argument)
    task, values = _task(estimator), values_of(frame[target])
    classes: list[Any] = []
    baseline: dict[str, Any] = {"mean": float(np.mean(values))} if task == "regression" else {}
    if task == "classification":
        labels, counts = np.unique(values, return_counts=True)
        classes = [plain(label) for label in labels]
        baseline = {"counts": [[plain(label), int(count)] for label, count in zip(labels, counts, strict=True)]}
    modules = {type(part).__module__.partition(".")[0] for part in (estimator, *estimator.get_params().values())}
    facts = Manifest(
        task=task,
        target=target,
        classes=classes,
        schema=bundle.raw_schema(frame[[*names, target]], target).as_json(),
        features=names,
        estimator=describe_estimator(estimator),
        spec=f"{type(estimator).__module__}.{type(estimator).__qualname__}",
        params={},
        seed=0,
        metrics={},
        baseline=baseline,
        inputs=dict(digests),
        rows=len(frame),
        versions=versions([name for name in _OTHER_LIBRARIES if name in modules]),
    )
    bundle.write(path, estimator, facts, frame[names])


def _training_table(names: list[str], function: str, frames: Mapping[str, pd.DataFrame]) -> tuple[str, pd.DataFrame]:
    for argument, frame in frames.items():
        if set(names) < set(frame.columns):
            return argument, frame
    words = f"it was fitted to {', '.join(names[:20])}, and no argument of {function}() is a data frame with these columns and a target"
    raise StepFailure("ModelInvalid", f"{words}; a `train` step takes the table that another step leaves")


def _target(frame: pd.DataFrame, names: list[str], argument: str) -> str:
    others = [str(name) for name in frame.columns if name not in names]
    named = frame.attrs.get("target")
    if named in others:
        return str(named)
    if len(others) > 1:
        raise StepFailure(
            "ModelInvalid",
            f'which column is the target? Say `{argument}.attrs["target"] = …`; there are {", ".join(others[:20])}',
        )
    return others[0]


def _task(estimator: Any) -> Task:
    if is_classifier(estimator):
        return "classification"
    if is_regressor(estimator):
        return "regression"
    raise StepFailure("ModelInvalid", "it predicts neither classes nor a quantity")

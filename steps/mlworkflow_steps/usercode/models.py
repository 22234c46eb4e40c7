"""An estimator that a function of the user's has fitted, as a bundle like those of `train`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import is_classifier, is_regressor

from mlworkflow_steps.data.table import FEATURES, Table
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models.keeping import Origin
from mlworkflow_steps.models.rows import Rows
from mlworkflow_steps.models.targets import Target, find_target


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
    target = _found(estimator, frame, _targets(frame, names, argument))
    named = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    origin = Origin(target, named, {}, 0, dict(digests), None, {}, False)
    origin.keep(path, estimator, Rows(frame[names], target.true_of(frame)), {})


def _training_table(names: list[str], function: str, frames: Mapping[str, pd.DataFrame]) -> tuple[str, pd.DataFrame]:
    for argument, frame in frames.items():
        if set(names) < set(frame.columns):
            return argument, frame
    words = f"it was fitted to {', '.join(names[:20])}, and no argument of {function}() is a data frame with these columns and a target"
    raise StepFailure("ModelInvalid", f"{words}; a `train` step takes the table that another step leaves")


def _targets(frame: pd.DataFrame, names: list[str], argument: str) -> list[str]:
    others = [str(name) for name in frame.columns if name not in names]
    named = frame.attrs.get("target")
    chosen = [named] if isinstance(named, str) else list(named or ())
    if chosen and set(chosen) <= set(others):
        return chosen
    if len(others) > 1:
        raise StepFailure(
            "ModelInvalid",
            f'which column is the target? Say `{argument}.attrs["target"] = …`, of several a list; there are {", ".join(others[:20])}',
        )
    return others


def _found(estimator: Any, frame: pd.DataFrame, named: list[str]) -> Target:
    if not is_classifier(estimator) and not is_regressor(estimator):
        raise StepFailure("ModelInvalid", "it predicts neither classes nor a quantity")
    try:
        return find_target(estimator, Table(frame), named)
    except StepFailure as failure:  # says where in the spec of `train`
        raise StepFailure("ModelInvalid", failure.message.partition(": ")[2]) from failure

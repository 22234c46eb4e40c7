"""What a model says of rows, as columns of a table: one `prediction` a row, and where asked the probability of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.models.scores import Array

PREDICTION, PROBABILITY = "prediction", "probability"


def answers(model: Any, rows: pd.DataFrame, *, probabilities: bool) -> dict[str, Array]:
    """Name → values. Of a model with several targets, a column for each of them: `prediction_<target>`."""
    found = _columns(PREDICTION, np.asarray(model.predict(rows)), model.manifest.outputs)
    if probabilities:
        estimated = model.predict_proba(rows)
        if isinstance(estimated, list):  # several targets, each with a column for no and one for yes
            estimated = np.column_stack([each[:, -1] for each in estimated])
        found |= _columns(PROBABILITY, estimated, model.classes)
    return found


def _columns(name: str, values: Array, labels: Sequence[Any]) -> dict[str, Array]:
    if values.ndim == 1:
        return {name: values}
    names = labels if len(labels) == values.shape[1] else range(values.shape[1])
    return {f"{name}_{label}": values[:, index] for index, label in enumerate(names)}

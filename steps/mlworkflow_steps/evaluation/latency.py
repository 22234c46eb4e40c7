"""How long the model takes for one row. Different every time: it is for the step's metrics and its log, never for an artifact."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.data.sparse import take

_TRIES = 50
_WARM = 3
_SECONDS = 1.0
_ROWS = 5
_WIDE = 1_000


def latencies(
    predict: Callable[[pd.DataFrame], Any],
    features: pd.DataFrame,
    clock: Callable[[], float] = time.perf_counter,
    matrix: Any = None,
) -> dict[str, float]:
    """Milliseconds a single prediction takes, in the middle and at the 95th percentile, in 50 tries or as many as a second has time for. `matrix`: as `Subject` has it."""
    few = 1 if features.shape[1] > _WIDE else _ROWS
    rows = [take(features, np.array([place]), matrix) for place in range(min(len(features), few))]
    taken: list[float] = []
    end = clock() + _SECONDS
    for turn in range(_WARM + _TRIES):
        row = rows[turn % len(rows)]
        started = clock()
        predict(row)
        now = clock()
        if turn >= _WARM or now > end:
            taken.append(1000 * (now - started))
        if now > end:
            break
    middle, slow = np.quantile(taken, [0.5, 0.95])
    return {"latency_ms": float(middle), "latency_p95_ms": float(slow)}

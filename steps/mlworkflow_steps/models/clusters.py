"""How good the clusters of a training step are, in the space in which they were found: after the parts of the pipeline before the last one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models.estimator import Estimator
from mlworkflow_steps.models.rows import Rows
from mlworkflow_steps.models.scores import Outcome, computed, scores_named, scores_of

_SAMPLE = 5000
_INERTIA = "inertia"


def cluster_scores(model: Estimator, rows: Rows, wanted: Sequence[str] | None) -> dict[str, float]:
    """The scores of the clusters of the training rows, from at most 5,000 of them evenly drawn, and their number as `clusters`.

    Those that compare with a target are there where the table has one; `inertia` where the estimator says it. None wants all that are
    there. Raises StepFailure (MetricUnknown) for another name, or one that cannot be had here.
    """
    named = None if wanted is None else [name for name in wanted if name != _INERTIA]
    scores = scores_of("clustering") if named is None else scores_named(named, "clustering", "train.scoring")
    outcome = _outcome(model, rows.take(np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(int))))
    found = computed(scores, outcome)
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    if hasattr(last, "inertia_") and (wanted is None or _INERTIA in wanted):
        found[_INERTIA] = float(last.inertia_)
    clusters = len(np.unique(model.predict(rows.features)))
    if missing := [name for name in wanted or () if name not in found]:
        raise StepFailure(
            "MetricUnknown",
            f"train.scoring: '{missing[0]}' cannot be computed: the rows fall into {clusters} clusters, there is no target, or the estimator does not say it",
        )
    return {"clusters": clusters, **found}


def _outcome(model: Estimator, rows: Rows) -> Outcome:
    has_head = hasattr(model, "steps") and len(model) > 1
    space: Any = model[:-1].transform(rows.features) if has_head else rows.features
    return Outcome(np.array([]) if rows.true is None else rows.true, model.predict(rows.features), features=space)

"""How good clusters are, in the space in which they were found: after the parts of the pipeline before the last one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn import metrics

from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models.estimator import Estimator
from mlworkflow_steps.models.rows import Rows
from mlworkflow_steps.models.scores import Array

_SAMPLE = 5000

WITHIN: dict[str, Callable[[Any, Array], float]] = {
    "silhouette": metrics.silhouette_score,
    "davies_bouldin": metrics.davies_bouldin_score,
    "calinski_harabasz": metrics.calinski_harabasz_score,
}
AGAINST: dict[str, Callable[[Array, Array], float]] = {
    "adjusted_rand": metrics.adjusted_rand_score,
    "v_measure": metrics.v_measure_score,
}
OWN = ("inertia",)


def cluster_scores(model: Estimator, rows: Rows, wanted: Sequence[str] | None) -> dict[str, float]:
    """The scores of the clusters of the training rows, from at most 5,000 of them evenly drawn, and their number as `clusters`.

    Those that compare with a target are there where the table has one; `inertia` where the estimator says it. None wants all that are
    there. Raises StepFailure (MetricUnknown) for another name, or one that cannot be had here.
    """
    known = (*WITHIN, *OWN, *AGAINST)
    if unknown := [name for name in wanted or () if name not in known]:
        raise StepFailure(
            "MetricUnknown",
            f"train.scoring: '{unknown[0]}' is no metric of a clustering; known are: {', '.join(known)}",
        )
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(int))
    sample = rows.take(chosen)
    labels = model.predict(sample.features)
    found = _computed(model, sample, labels)
    if missing := [name for name in wanted or () if name not in found]:
        raise StepFailure(
            "MetricUnknown",
            f"train.scoring: '{missing[0]}' cannot be computed: the rows fall into {len(np.unique(labels))} clusters, or there is no target",
        )
    return {
        "clusters": float(len(np.unique(model.predict(rows.features)))),
        **{name: found[name] for name in wanted or found},
    }


def _computed(model: Estimator, rows: Rows, labels: Array) -> dict[str, float]:
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    space = model[:-1].transform(rows.features) if hasattr(model, "steps") and len(model) > 1 else rows.features
    found: dict[str, float] = {}
    if 1 < len(np.unique(labels)) < len(labels):
        found |= {name: float(score(space, labels)) for name, score in WITHIN.items()}
    if hasattr(last, "inertia_"):
        found["inertia"] = float(last.inertia_)
    if rows.true is not None:
        found |= {name: float(score(rows.true, labels)) for name, score in AGAINST.items()}
    return found

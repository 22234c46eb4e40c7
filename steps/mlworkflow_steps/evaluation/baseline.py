"""What a model that only knows the training part's target would say: the baseline that a real one has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlworkflow_steps.models.scores import Outcome


def baseline_outcome(baseline: Mapping[str, Any], outcome: Outcome) -> Outcome | None:
    """The most frequent class with the classes' shares, the mean, or the labels that most rows have; None where the model does not say.

    `baseline` is `{"mean": …}`, of several quantities `{"means": […]}`, `{"counts": [[class, rows], …]}` or, of several labels, `{"shares": [share of the rows, …]}`.
    """
    rows = len(outcome.predicted)
    if "mean" in baseline:
        return Outcome(outcome.true, np.full(rows, float(baseline["mean"])))
    if "means" in baseline:
        means = np.tile(np.asarray(baseline["means"], dtype=float), (rows, 1))
        return Outcome(outcome.true, means, classes=outcome.classes)
    if "shares" in baseline:
        shares = np.tile(np.asarray(baseline["shares"], dtype=float), (rows, 1))
        return Outcome(outcome.true, (shares >= 0.5).astype(int), shares, outcome.classes)
    if "counts" not in baseline:
        return None
    labels = [label for label, _ in baseline["counts"]]
    counts = np.array([count for _, count in baseline["counts"]], dtype=float)
    most = np.array([labels[int(counts.argmax())]], dtype=np.asarray(outcome.true).dtype)
    if outcome.classes is None or len(outcome.classes) != len(labels):
        return Outcome(outcome.true, np.repeat(most, rows), None, outcome.classes)
    shares = np.tile(counts / counts.sum(), (rows, 1))
    return Outcome(outcome.true, np.repeat(most, rows), shares, outcome.classes)

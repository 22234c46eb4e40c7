"""Which parameters of a search have made the difference: a forest learns the trials, and each parameter is shuffled in turn."""

from __future__ import annotations

import numpy as np

from mlworkflow_steps.data.trials import Study

FEWEST = 5
"""Trials below which nothing can be said."""
_MISSING = -1e9
"""Where a trial has no such parameter: far from all that have it, for the trees to tell."""


def importances(study: Study, metric: str) -> list[tuple[str, float]]:
    """(parameter, share of all), the greatest first; nothing where the trials are too few or all alike."""
    found = list(study.valued(metric))
    values = np.array([value for _, value in found])
    if len(found) < FEWEST or np.ptp(values) == 0:
        return []
    rows = np.array([[_place(dimension.place(trial["params"].get(dimension.name))) for dimension in study.space] for trial, _ in found])  # fmt: skip
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    forest = RandomForestRegressor(n_estimators=64, random_state=0).fit(rows, values)
    shuffled = permutation_importance(forest, rows, values, n_repeats=5, random_state=0)
    weights = np.clip(shuffled.importances_mean, 0, None)
    shares = weights / (weights.sum() or 1)
    names = [dimension.name for dimension in study.space]
    return sorted(zip(names, map(float, shares), strict=True), key=lambda pair: (-pair[1], pair[0]))


def _place(value: float | None) -> float:
    return _MISSING if value is None else value

"""Features that give the target away: a copy of it, a column that decides it, or columns of which it is the sum.

Every finding holds for all rows, and is far too unlikely to be chance. Columns that merely go well with the target are no leak: `profile` lists them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.data.anomalies import Anomaly
from mlworkflow_steps.data.kinds import Kind, is_quantity, kind_of, texts
from mlworkflow_steps.data.table import Task

Array = np.ndarray[Any, np.dtype[np.float64]]

_FEWEST_ROWS = 20
_MOST_ROWS = 20_000
_MOST_COLUMNS = 200
_ROWS_A_GROUP = 5
_CHANCE = -6.0
"""The power of ten below which a finding is no chance."""
_EXACT = 3e-3
"""What may be left of the target, in standard deviations, by a combination that is the target but for rounding."""


def leakage(frame: pd.DataFrame, target: str, task: Task | str, table: str) -> list[Anomaly]:
    """What gives `target` away. Tables of fewer than 20 rows prove nothing."""
    labelled = frame[frame[target].notna()]
    if len(labelled) < _FEWEST_ROWS or labelled[target].nunique() < 2:
        return []
    kinds: dict[str, Kind] = {str(name): kind_of(labelled[name]) for name in labelled if name != target}
    is_class = task == "classification" or not is_quantity(kind_of(labelled[target]))
    found, left = [], []
    for name, kind in kinds.items():
        if how := _gives_away(labelled[name], kind, labelled[target], is_class, len(kinds)):
            found.append(Anomaly("TargetLeakage", table, (name,), f"'{name}' {how} the target '{target}'"))
        elif is_quantity(kind) or kind == "boolean":
            left.append(name)
    if parts := _combination(labelled, left, target, is_class):
        found.append(Anomaly("TargetLeakage", table, tuple(parts), _in_words(parts, target, is_class)))
    return found


def _gives_away(feature: pd.Series, kind: Kind, target: pd.Series, is_class: bool, features: int) -> str:
    """How a single column gives the target away, as a verb; "" where it does not."""
    both = feature.notna()
    if kind == "empty" or both.mean() < 0.5 or both.sum() < _FEWEST_ROWS:
        return ""
    values, answers = feature[both], target[both]
    groups, found = pd.factorize(texts(values) if kind in ("text", "category") else values)
    labels, classes = pd.factorize(answers)
    if len(classes) < 2 or len(found) < 2:
        return ""
    if _is_equal(values, answers, kind):
        return "equals"
    if len(np.unique(groups * np.int64(len(classes)) + labels)) == len(
        found
    ):  # each value comes with one answer: is that chance?
        chance = (len(values) - len(found)) * math.log10(np.bincount(labels).max() / len(labels))
        if len(found) == len(classes) and chance < _CHANCE:
            return "says the same as"
        if len(found) <= len(values) / _ROWS_A_GROUP and chance < _CHANCE:
            return "decides"
    if not is_quantity(kind):
        return ""
    return _in_order(
        values.to_numpy(float), np.asarray(labels if is_class else answers, dtype=float), is_class, features
    )


def _is_equal(values: pd.Series, answers: pd.Series, kind: Kind) -> bool:
    if is_quantity(kind) and is_quantity(kind_of(answers)):
        return bool((values.to_numpy(float) == answers.to_numpy(float)).all())
    return bool(texts(values).eq(texts(answers)).all())


def _in_order(values: Array, answers: Array, is_class: bool, features: int) -> str:
    """Whether the order of a column's values is the order of the target, or keeps the classes apart."""
    order = np.argsort(values, kind="stable")
    values, answers = values[order], answers[order]
    tied = values[1:] == values[:-1]
    if np.any(tied & (answers[1:] != answers[:-1])):
        return ""
    if is_class:
        classes, counts = np.unique(answers, return_counts=True)
        ways = (
            math.lgamma(len(answers) + 1)
            - sum(math.lgamma(count + 1) for count in counts)
            - math.lgamma(len(classes) + 1)
        )
        runs = 1 + int((answers[1:] != answers[:-1]).sum())
        return "decides" if runs == len(classes) and -ways / math.log(10) + math.log10(features) < _CHANCE else ""
    steps = np.diff(answers)
    if len(np.unique(answers)) >= _FEWEST_ROWS / 2 and (np.all(steps >= 0) or np.all(steps <= 0)):
        return "has the order of"
    return ""


def _combination(frame: pd.DataFrame, names: Sequence[str], target: str, is_class: bool) -> dict[str, float]:
    """The columns of which the target is a linear combination, as few as do, with their factors (of classes: 0); none, if it is not one."""
    columns = [name for name in names if frame[name].notna().mean() >= 0.95 and frame[name].nunique() > 1]
    rows = frame[[*columns, target]].replace([np.inf, -np.inf], np.nan).dropna()
    rows = (
        rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ROWS)).astype(int))]
        if len(rows)
        else rows
    )
    if len(rows) < _FEWEST_ROWS or not columns:
        return {}
    goal = _goal(rows[target], is_class)
    features = rows[columns].to_numpy(float)
    most = min(_MOST_COLUMNS, (len(rows) - _FEWEST_ROWS) // 2)
    features = features - features.mean(axis=0)
    spread = features.std(axis=0)
    kept = _strongest(features, spread, goal, most)
    if not kept or not _is_exact(features[:, kept], goal):
        return {}
    kept = _fewest(features / np.where(spread > 0, spread, 1), kept, goal)
    factors = np.linalg.lstsq(features[:, kept], goal, rcond=None)[0]
    return {columns[place]: 0.0 if is_class else float(factors[index, 0]) for index, place in enumerate(kept)}


def _goal(target: pd.Series, is_class: bool) -> Array:
    """The target around its mean; of classes, a column for each but the last."""
    if not is_class:
        values = target.to_numpy(float)
        return np.asarray(values - values.mean())[:, None]
    codes, classes = pd.factorize(target)
    indicators = np.eye(len(classes))[codes][:, : len(classes) - 1]
    return np.asarray(indicators - indicators.mean(axis=0))


def _strongest(features: Array, spread: Array, goal: Array, most: int) -> list[int]:
    """The columns that vary; if they are too many for the rows, those that go best with the goal."""
    able = np.flatnonzero(spread > 0)
    if len(able) <= most:
        return [int(place) for place in able]
    strength = np.abs((features[:, able] / spread[able]).T @ goal).max(axis=1)
    return sorted(int(able[place]) for place in np.argsort(-strength, kind="stable")[:most])


def _is_exact(features: Array, goal: Array) -> bool:
    factors = np.linalg.lstsq(features, goal, rcond=None)[0]
    rest = (goal - features @ factors).std(axis=0)
    return bool(np.all(rest <= _EXACT * goal.std(axis=0)))


def _fewest(scaled: Array, kept: list[int], goal: Array) -> list[int]:
    """The columns without which the combination is not exact: those of no weight go at once, then one by one, the lightest first."""
    weights = np.abs(np.linalg.lstsq(scaled[:, kept], goal, rcond=None)[0]).max(axis=1)
    heavy = [place for place, weight in zip(kept, weights, strict=True) if weight > _EXACT * goal.std(axis=0).max()]
    if heavy and _is_exact(scaled[:, heavy], goal):
        kept = heavy
        weights = np.abs(np.linalg.lstsq(scaled[:, kept], goal, rcond=None)[0]).max(axis=1)
    for _, place in sorted(zip(weights, kept, strict=True)):
        rest = [other for other in kept if other != place]
        if rest and _is_exact(scaled[:, rest], goal):
            kept = rest
    return kept


def _in_words(parts: dict[str, float], target: str, is_class: bool) -> str:
    names = [f"'{name}'" for name in parts]
    listed = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    if is_class:
        return f"a sum over {listed} tells the class '{target}' of every row"
    if len(parts) > 1 and all(abs(factor - 1) < _EXACT for factor in parts.values()):
        return f"the sum of {listed} is the target '{target}'"
    return f"the target '{target}' is a linear combination of {listed}: {' + '.join(f'{factor:.4g} × {name}' for name, factor in parts.items())}"

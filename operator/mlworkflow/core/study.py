"""The study of a tune step: its body evaluated, the points of a grid, and which parameters may be tried. Pure.

What the other algorithms choose is Optuna's, in a process of its own (`engine.sampling`, which goes by these functions too).
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import UNSET

from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import as_text, render
from mlworkflow.core.kinds._space import Dimension, holds, in_order, is_active, is_same
from mlworkflow.core.kinds.tune import Metric, Tune
from mlworkflow.core.parsing import schema_problem
from mlworkflow.core.step import Step
from mlworkflow.core.values import Json

AS_WRITTEN = ("step", "constraints")
"""Fields whose expressions are evaluated for each trial."""
COMBINATIONS = 1_000_000
"""Combinations of a grid that are looked at for those which may be tried."""


def study_of(step: Step, names: Mapping[str, Any]) -> Tune:
    """The study with its expressions evaluated (the trial's own apart). Raises ExpressionError."""
    body = {field: value if field in AS_WRITTEN else render(value, names) for field, value in step.body.items()}
    try:
        study = msgspec.convert(body, Tune)
    except msgspec.ValidationError as error:
        raise ExpressionError(f"evaluated, {schema_problem(error, 'tune')}") from None
    for field in ("max", "parallel", "per_pod", "max_failed"):
        if not isinstance(getattr(study.trials, field), int):  # text that looks like an expression passes the schema
            raise ExpressionError(f"evaluated, tune.trials.{field} is not a whole number")
    if study.trials.goal is not UNSET and not isinstance(study.trials.goal, int | float):
        raise ExpressionError("evaluated, tune.trials.goal is not a number")
    if problems := step.kind.check(study):
        raise ExpressionError(f"evaluated, tune.{problems[0][0]}: {problems[0][1]}")
    return study


def objectives_of(body: Mapping[str, Any]) -> list[Metric]:
    """What a study optimises, from its body as written: these fields hold no expressions."""
    return msgspec.convert(body["metrics"] if "metrics" in body else [body["metric"]], list[Metric])


def deciding_metric(body: Mapping[str, Any]) -> str:
    """The name of the metric that decides: the first of several."""
    return objectives_of(body)[0].name


def grid_points(
    study: Tune, names: Mapping[str, Any], tried: Mapping[int, Mapping[str, Json]] = MappingProxyType({})
) -> list[dict[str, Json]]:
    """The parameters of a grid's trials, `trials.max` at most: the starting points, then every combination; the last parameter by name
    varies fastest. Those that trials have `tried` (number → parameters) and that are still of the grid keep their numbers, so that a space
    can be widened anywhere and costs what is new in it. Raises ExpressionError.
    """
    most = int(study.trials.max)
    kept = _kept(study, names, tried, most)
    found: list[dict[str, Json]] = []
    seen = {msgspec.json.encode(point, order="sorted") for point in kept.values()}
    may_repeat = bool(seen or study.enqueue) or any(dimension.when for dimension in study.space.values())
    for point in itertools.islice(_combinations(study), COMBINATIONS):
        if len(found) + len(kept) >= most:
            break
        if may_repeat:
            known, before = msgspec.json.encode(point, order="sorted"), len(seen)
            seen.add(known)
            if len(seen) == before:
                continue
        if is_allowed(study, point, names):
            found.append(point)
    if not kept:
        return found
    total = len(found) + len(kept)
    others = iter([*(point for number, point in kept.items() if number >= total), *found])
    return [kept[number] if number in kept else next(others) for number in range(total)]


def _kept(
    study: Tune, names: Mapping[str, Any], tried: Mapping[int, Mapping[str, Json]], most: int
) -> dict[int, dict[str, Json]]:
    """What has been tried and is of the grid, as the grid writes it: 3.0 of a status is the 3 of the list."""
    kept: dict[int, dict[str, Json]] = {}
    seen: set[bytes] = set()
    for number, params in sorted(tried.items()):
        active = [name for name in in_order(study.space) if is_active(study.space[name], params)]
        if number >= most or misfit(study, params) or any(name in params for name in study.space if name not in active):
            continue
        point = {
            name: next(value for value in points_of(study.space[name]) if is_same(value, params[name]))
            for name in active
        }
        key = msgspec.json.encode(point, order="sorted")
        if key not in seen and is_allowed(study, point, names):
            kept[number] = point
            seen.add(key)
    return kept


def _combinations(study: Tune) -> Iterator[dict[str, Json]]:
    order = in_order(study.space)
    values = [points_of(study.space[name]) for name in order]
    for start in study.enqueue:
        kept = [[start[name]] if name in start else points for name, points in zip(order, values, strict=True)]
        yield from _products(study, order, kept)
    yield from _products(study, order, values)


def _products(study: Tune, order: list[str], values: list[list[Any]]) -> Iterator[dict[str, Json]]:
    for point in itertools.product(*values):
        params: dict[str, Json] = {}
        for name, value in zip(order, point, strict=True):
            if is_active(study.space[name], params):
                params[name] = value
        yield params


def points_of(dimension: Dimension) -> list[Any]:
    """The values of a dimension that has so many, in their order."""
    if dimension.choice is not UNSET:
        return dimension.choice
    if dimension.int is not UNSET:
        return list(range(dimension.int.min, dimension.int.max + 1, dimension.int.step))
    span = dimension.float
    assert span is not UNSET
    assert span.step is not UNSET
    low, step = Decimal(str(span.min)), Decimal(str(span.step))  # 0.1 + 0.2 is 0.3 to the person who wrote 0.1
    return [float(low + step * index) for index in range(int((Decimal(str(span.max)) - low) / step) + 1)]


def is_allowed(study: Tune, params: Mapping[str, Json], names: Mapping[str, Any]) -> bool:
    """Whether parameters keep every constraint. Raises ExpressionError, whose message begins with the field."""
    scope = {"params": names.get("params", {}), "trial": {"params": {**study.fixed, **params}}}
    for index, text in enumerate(study.constraints):
        where = f"tune.constraints[{index}]"
        try:
            value = render(text, scope)
        except ExpressionError as error:
            raise ExpressionError(f"{where}: {error}") from None
        if not isinstance(value, bool):
            raise ExpressionError(f"{where}: '{text}' is {type(value).__name__}, not true or false")
        if not value:
            return False
    return True


def misfit(study: Tune, params: Mapping[str, Json]) -> str:
    """Why the parameters of another search's trial are none of this one's; empty where they are."""
    for name in in_order(study.space):
        if not is_active(study.space[name], params):
            continue
        if name not in params:
            return f"has no parameter '{name}'"
        if not holds(study.space[name], params[name]):
            return f"{name}={as_text(params[name])} is outside the space"
    for name, value in study.fixed.items():
        if name in params and not is_same(params[name], value):
            return f"{name}={as_text(params[name])}, and tune.fixed says {as_text(value)}"
    return ""


def values_of(study: Tune, numbers: Mapping[str, float | None]) -> list[float] | None:
    """What decides of a trial, in the order of the metrics; None where one is missing."""
    values = [numbers.get(metric.name) for metric in study.objectives]
    return None if any(value is None or not math.isfinite(value) for value in values) else values  # type: ignore[return-value]


def best_of(study: Tune, values: Mapping[int, list[float]]) -> int:
    """The trial that is best in the first metric; of equals the first."""
    sign = _signs(study)[0]
    return max(values, key=lambda number: (sign * values[number][0], -number))


def pareto_of(study: Tune, values: Mapping[int, list[float]]) -> list[int]:
    """The trials that no other beats: as good in every metric, and better in one."""
    better = {number: [s * v for s, v in zip(_signs(study), each, strict=True)] for number, each in values.items()}
    front: list[int] = []
    for number in sorted(better, key=lambda number: better[number], reverse=True):  # who beats another comes before it
        own = better[number]
        if not any(better[o] != own and all(map(operator.ge, better[o], own)) for o in front):
            front.append(number)
    return sorted(front)


def is_reached(study: Tune, value: float) -> bool:
    """Whether a value is as good as `trials.goal` asks for."""
    goal, sign = study.trials.goal, _signs(study)[0]
    return goal is not UNSET and sign * value >= sign * float(goal)


def _signs(study: Tune) -> list[int]:
    return [1 if metric.goal == "maximize" else -1 for metric in study.objectives]

"""The study of a tune step: its trials, how many and with which parameters. Trial `n` is a function of the step's body and `n` alone."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET

from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import render
from mlworkflow.core.kinds.tune import Dimension, FloatRange, IntRange, Tune
from mlworkflow.core.parsing import schema_problem
from mlworkflow.core.step import Step
from mlworkflow.core.values import Json


def study_of(step: Step, names: Mapping[str, Any]) -> Tune:
    """The study with its expressions evaluated (the trial's own step apart). Raises ExpressionError."""
    body = {field: render(value, names) if field != "step" else value for field, value in step.body.items()}
    try:
        study = msgspec.convert(body, Tune)
    except msgspec.ValidationError as error:
        raise ExpressionError(f"evaluated, {schema_problem(error, 'tune')}") from None
    for field in study.trials.__struct_fields__:
        if not isinstance(getattr(study.trials, field), int):  # text that looks like an expression passes the schema
            raise ExpressionError(f"evaluated, tune.trials.{field} is not a whole number")
    if problems := step.kind.check(study):
        raise ExpressionError(f"evaluated, tune.{problems[0][0]}: {problems[0][1]}")
    return study


def trial_count(body: Tune) -> int:
    """The number of trials: `trials.max`, or fewer where the grid is smaller."""
    most = int(body.trials.max)
    if body.algorithm.grid is UNSET:
        return most
    return min(most, math.prod(len(_points(dimension)) for dimension in body.space.values()))


def trial_params(body: Tune, number: int) -> Mapping[str, Json]:
    """The parameters of trial `number` (from 0). The last dimension of a grid varies fastest."""
    if body.algorithm.random is not UNSET:
        draw = random.Random(f"{body.algorithm.random.seed}:{number}")
        return {name: _draw(dimension, draw) for name, dimension in body.space.items()}
    points = next(itertools.islice(itertools.product(*map(_points, body.space.values())), number, None))
    return dict(zip(body.space, points, strict=True))


def _points(dimension: Dimension) -> list[Any]:
    if dimension.choice is not UNSET:
        return dimension.choice
    if dimension.int is not UNSET:
        return list(range(dimension.int.min, dimension.int.max + 1, dimension.int.step))
    span = dimension.float
    assert span is not UNSET
    assert span.step is not UNSET
    low, step = Decimal(str(span.min)), Decimal(str(span.step))  # 0.1 + 0.2 is 0.3 to the person who wrote 0.1
    return [float(low + step * index) for index in range(int((Decimal(str(span.max)) - low) / step) + 1)]


def _draw(dimension: Dimension, draw: random.Random) -> Any:
    if dimension.choice is not UNSET:
        return draw.choice(dimension.choice)
    if dimension.int is not UNSET:
        return _draw_int(dimension.int, draw)
    assert dimension.float is not UNSET
    return _draw_float(dimension.float, draw)


def _draw_int(span: IntRange, draw: random.Random) -> int:
    if span.log:
        value = math.exp(draw.uniform(math.log(span.min - 0.5), math.log(span.max + 0.5)))
        value = span.min + round((value - span.min) / span.step) * span.step
        return min(max(int(value), span.min), span.max)
    return draw.randrange(span.min, span.max + 1, span.step)


def _draw_float(span: FloatRange, draw: random.Random) -> float:
    if span.log:
        return math.exp(draw.uniform(math.log(span.min), math.log(span.max)))
    if span.step is not UNSET:
        return float(
            Decimal(str(span.min))
            + Decimal(str(span.step))
            * draw.randint(0, int((Decimal(str(span.max)) - Decimal(str(span.min))) / Decimal(str(span.step))))
        )
    return draw.uniform(span.min, span.max)

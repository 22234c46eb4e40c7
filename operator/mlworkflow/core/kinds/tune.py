"""`tune`: a search over parameters; every trial is a step of its own, the best one is an output."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.kinds._kind import Kind, exactly_one
from mlworkflow.core.values import Fields, Integer, Json


class Metric(Fields, frozen=True):
    """The number that decides."""

    name: Annotated[
        str, Meta(min_length=1, description="A metric that the trial emits, or one of its output parameters.")
    ]
    goal: Annotated[Literal["maximize", "minimize"], Meta(description="Which way is better.")] = "maximize"


class Grid(Fields, frozen=True):
    """Every combination of the space, in order. Floats need a `step`."""


class Random(Fields, frozen=True):
    """Independent draws from the space."""

    seed: Annotated[Integer, Meta(description="Same seed, same trials.")] = 0


class Algorithm(Fields, frozen=True):
    """How the next parameters are chosen: exactly one of these."""

    grid: Annotated[Grid | UnsetType, Meta(description="Every combination.")] = UNSET
    random: Annotated[Random | UnsetType, Meta(description="Independent draws.")] = UNSET


class IntRange(Fields, frozen=True):
    """Whole numbers from `min` to `max`, both included."""

    min: Annotated[int, Meta(description="The lowest value.")]
    max: Annotated[int, Meta(description="The highest value.")]
    step: Annotated[int, Meta(ge=1, description="Distance between neighbours.")] = 1
    log: Annotated[bool, Meta(description="Draw evenly in the logarithm (needs min > 0).")] = False


class FloatRange(Fields, frozen=True):
    """Real numbers from `min` to `max`."""

    min: Annotated[float, Meta(description="The lowest value.")]
    max: Annotated[float, Meta(description="The highest value.")]
    step: Annotated[
        Annotated[float, Meta(gt=0)] | UnsetType, Meta(description="Distance between neighbours; a grid needs it.")
    ] = UNSET
    log: Annotated[bool, Meta(description="Draw evenly in the logarithm (needs min > 0).")] = False


class Dimension(Fields, frozen=True):
    """The values of one parameter: exactly one of these."""

    choice: Annotated[
        Annotated[list[Json], Meta(min_length=1)] | UnsetType,
        Meta(description="One of these values, of any JSON type."),
    ] = UNSET
    int: Annotated[IntRange | UnsetType, Meta(description="A whole number.")] = UNSET
    float: Annotated[FloatRange | UnsetType, Meta(description="A real number.")] = UNSET


class Trials(Fields, frozen=True):
    """How many trials, and how many at once."""

    max: Annotated[Integer, Meta(description="At most this many trials; a grid may be smaller.")] = 20
    parallel: Annotated[Integer, Meta(description="Trials at once.")] = 4
    max_failed: Annotated[Integer, Meta(description="With more failed trials than this the step fails.")] = 0


class Tune(Fields, frozen=True):
    """Searches for the best parameters of a step."""

    metric: Annotated[Metric, Meta(description="What is optimised.")]
    space: Annotated[
        dict[str, Dimension], Meta(min_length=1, max_length=64, description="The parameters and their values.")
    ]
    step: Annotated[
        dict[str, Json],
        Meta(
            description="The step that a trial runs: one kind (`train`, `container`, …) and any common field of a step. It has the tune step's "
            "inputs, and the trial's parameters as its `params`; for `train` they are also set on the estimator. `trial.params` and `trial.number` "
            "are names in its expressions."
        ),
    ]
    algorithm: Annotated[Algorithm, Meta(description="How parameters are chosen. Default: grid.")] = Algorithm(
        grid=Grid()
    )
    trials: Annotated[Trials, Meta(description="The budget.")] = Trials()


def _check(body: Tune) -> list[tuple[str, str]]:
    problems = exactly_one(body.algorithm, "algorithm", ("grid", "random"))
    for field, least in {"max": 1, "parallel": 1, "max_failed": 0}.items():
        value = getattr(body.trials, field)
        if isinstance(value, int) and value < least:
            problems.append((f"trials.{field.replace('_f', 'F')}", f"is at least {least}, not {value}"))
    if OPEN in body.metric.name:
        problems.append(("metric.name", "cannot be an expression: the status and the trials' table go by this name"))
    is_grid = body.algorithm.grid is not UNSET
    for name, dimension in body.space.items():
        path = f"space.{name}"
        problems += exactly_one(dimension, path, ("choice", "int", "float"))
        values = dimension.int if dimension.int is not UNSET else dimension.float
        if isinstance(values, IntRange | FloatRange):
            if values.min > values.max:
                problems.append((path, f"min {values.min} is above max {values.max}"))
            if values.log and values.min <= 0:
                problems.append((path, "a logarithmic range needs min > 0"))
        if isinstance(values, FloatRange) and values.step is UNSET and is_grid:
            problems.append(
                (
                    f"{path}.float.step",
                    "a grid needs the step of a float: give `step`, or list the values with `choice`",
                )
            )
    return problems


_EXAMPLE = """\
name: tune
inputs: {train: {from: prep.train}}
tune:
  metric: {name: cv_accuracy, goal: maximize}
  algorithm: {random: {seed: 7}}
  space:
    max_depth: {int: {min: 2, max: 12}}
    max_features: {choice: [sqrt, log2, null]}
  trials: {max: 20, parallel: 4}
  step:
    train: {estimator: sklearn.ensemble.RandomForestClassifier, cv: 3}
"""

KIND = Kind(
    name="tune",
    order=30,
    summary="search for the best parameters, a Pod per trial",
    body=Tune,
    has_pod=False,
    outputs={"trials": "file", "best": "json", "trial_count": "integer", "failed_count": "integer"},
    check=_check,
    example=_EXAMPLE,
)

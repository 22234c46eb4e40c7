"""The space of a `tune` step: its dimensions, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.kinds._kind import exactly_one
from mlworkflow.core.values import Fields, Json


class IntRange(Fields, frozen=True):
    """Whole numbers from `min` to `max`, both included."""

    min: Annotated[int, Meta(description="The lowest value.")]
    max: Annotated[int, Meta(description="The highest value.")]
    step: Annotated[int, Meta(ge=1, description="Distance between neighbours.")] = 1
    log: Annotated[bool, Meta(description="Draw evenly in the logarithm (needs min > 0, and no step).")] = False


class FloatRange(Fields, frozen=True):
    """Real numbers from `min` to `max`."""

    min: Annotated[float, Meta(description="The lowest value.")]
    max: Annotated[float, Meta(description="The highest value.")]
    step: Annotated[
        Annotated[float, Meta(gt=0)] | UnsetType, Meta(description="Distance between neighbours; a grid needs it.")
    ] = UNSET
    log: Annotated[bool, Meta(description="Draw evenly in the logarithm (needs min > 0, and no step).")] = False


class Dimension(Fields, frozen=True):
    """The values of one parameter: exactly one of `choice`, `int` and `float`."""

    choice: Annotated[
        Annotated[list[Json], Meta(min_length=1)] | UnsetType,
        Meta(description="One of these values, of any JSON type."),
    ] = UNSET
    int: Annotated[IntRange | UnsetType, Meta(description="A whole number.")] = UNSET
    float: Annotated[FloatRange | UnsetType, Meta(description="A real number.")] = UNSET
    when: Annotated[
        dict[str, Json],
        Meta(
            max_length=8,
            description="The trial has this parameter only where others have these values: `{kernel: rbf}`, or `{kernel: [rbf, poly]}` for one of several.",
        ),
    ] = {}


VALUES = ("choice", "int", "float")

Space = Mapping[str, Dimension]


def in_order(space: Space) -> list[str]:
    """The parameters by name, each after those that its `when` asks for. Not in the order of the file: a cluster does not keep that.

    Raises ValueError with the first that waits for itself.
    """
    order: list[str] = []
    waiting = sorted(space)
    while waiting:
        name = next((name for name in waiting if all(other in order for other in space[name].when)), None)
        if name is None:
            raise ValueError(waiting[0])
        order.append(name)
        waiting.remove(name)
    return order


def is_active(dimension: Dimension, params: Mapping[str, Any]) -> bool:
    """Whether a trial has a parameter, given those before it."""
    return all(
        name in params and any(is_same(params[name], value) for value in allowed_by(wanted))
        for name, wanted in dimension.when.items()
    )


def allowed_by(wanted: Json) -> list[Json]:
    """The values that an entry of `when` names."""
    return wanted if isinstance(wanted, list) else [wanted]


def is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: 1 and 1.0 are, 1 and true are not."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def holds(dimension: Dimension, value: Any) -> bool:
    """Whether a value is one that a dimension has."""
    if dimension.choice is not UNSET:
        return any(is_same(value, choice) for choice in dimension.choice)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    span = dimension.int if dimension.int is not UNSET else dimension.float
    assert span is not UNSET
    if not span.min <= value <= span.max or (dimension.int is not UNSET and value != int(value)):
        return False
    step = span.step
    return step is UNSET or (Decimal(str(value)) - Decimal(str(span.min))) % Decimal(str(step)) == 0


def space_problems(space: Space, *, is_grid: bool) -> Iterator[tuple[str, str]]:
    """What the schema cannot say of a space, with the field below the kind's body."""
    for name, dimension in space.items():
        path = f"space.{name}"
        yield from exactly_one(dimension, path, VALUES)
        yield from _range_problems(dimension, path, is_grid=is_grid)
        for other, wanted in dimension.when.items():
            if other not in space:
                yield f"{path}.when.{other}", f"there is no parameter '{other}' in the space"
                continue
            for value in allowed_by(wanted):
                if not _is_open(space[other], value) and not holds(space[other], value):
                    yield f"{path}.when.{other}", f"{value!r} is no value of '{other}', so that '{name}' would never be"
    try:
        in_order({name: d for name, d in space.items() if all(other in space for other in d.when)})
    except ValueError as circle:
        yield f"space.{circle}.when", "these conditions wait for each other in a circle"


def _range_problems(dimension: Dimension, path: str, *, is_grid: bool) -> Iterator[tuple[str, str]]:
    values = dimension.int if dimension.int is not UNSET else dimension.float
    if isinstance(values, IntRange | FloatRange):
        if values.min > values.max:
            yield path, f"min {values.min} is above max {values.max}"
        if values.log and values.min <= 0:
            yield path, "a logarithmic range needs min > 0"
        if values.log and not is_grid and values.step not in (UNSET, 1):
            yield path, "a logarithmic range has no step: leave out `log` or `step`"
    if isinstance(values, FloatRange) and values.step is UNSET and is_grid:
        yield (
            f"{path}.float.step",
            "a grid needs the step of a float: give `step`, or list the values with `choice`",
        )


def point_problems(space: Space, point: Mapping[str, Json], path: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a starting point."""
    for name, value in point.items():
        if name not in space:
            yield f"{path}.{name}", f"there is no parameter '{name}' in the space"
        elif not _is_open(space[name], value) and not holds(space[name], value):
            yield f"{path}.{name}", f"{value!r} is no value of '{name}'"


def _is_open(dimension: Dimension, value: Json) -> bool:
    """Whether it cannot be told yet what a dimension holds: an expression is to be evaluated, or the dimension is wrong itself."""
    choices = [] if dimension.choice is UNSET else dimension.choice
    is_sound = sum(getattr(dimension, name) is not UNSET for name in VALUES) == 1
    return not is_sound or any(isinstance(text, str) and OPEN in text for text in (value, *choices))

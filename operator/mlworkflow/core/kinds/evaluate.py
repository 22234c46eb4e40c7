"""`evaluate`: measure a model on data it has not seen, and say whether it is good enough."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.values import Fields, Number


class Bound(Fields, frozen=True):
    """What a metric must reach."""

    min: Annotated[Number | UnsetType, Meta(description="The metric must not be below this.")] = UNSET
    max: Annotated[Number | UnsetType, Meta(description="The metric must not be above this.")] = UNSET


class Evaluate(Fields, frozen=True):
    """Predicts the test part, and leaves `report` (one HTML file), `scores` (JSON) and every metric as an output parameter."""

    metrics: Annotated[list[str] | UnsetType, Meta(description="Which metrics. Default: all that fit the task.")] = (
        UNSET
    )
    gate: Annotated[
        dict[str, Bound],
        Meta(
            description="Metric → bound. A metric out of bounds fails the step with reason `GateFailed`, the report is kept."
        ),
    ] = {}
    target: Annotated[
        str | UnsetType, Meta(description="The column to predict. Default: the one that the model names.")
    ] = UNSET


def _check(body: Evaluate) -> list[tuple[str, str]]:
    return [
        (f"gate.{name}", "needs `min` or `max`")
        for name, bound in body.gate.items()
        if bound.min is UNSET and bound.max is UNSET
    ]


_EXAMPLE = """\
name: evaluate
inputs: {model: {from: train.model}, test: {from: prep.test}}
evaluate:
  gate: {accuracy: {min: 0.9}}
"""

KIND = Kind(
    name="evaluate",
    order=40,
    summary="measure a model on data it has not seen, with a gate",
    body=Evaluate,
    command=built_in("evaluate"),
    inputs=("model", "test"),
    outputs={"report": "file", "scores": "file", "passed": "boolean"},
    open_parameters=True,
    is_cached=True,
    check=_check,
    example=_EXAMPLE,
)

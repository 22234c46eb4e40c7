"""`evaluate`: measure a model on data it has not seen, and say whether it is good enough."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.values import Boolean, Fields, Integer, Number

_MIN_DELTA = (
    "By how much the metric must be better than the champion's, whichever way it goes; below zero: how much worse it may be. "
    "Without a champion this holds."
)


class SliceBound(Fields, frozen=True):
    """What a metric must reach in every slice."""

    min: Annotated[Number | UnsetType, Meta(description="The metric must not be below this.")] = UNSET
    max: Annotated[Number | UnsetType, Meta(description="The metric must not be above this.")] = UNSET
    min_delta: Annotated[Number | UnsetType, Meta(description=_MIN_DELTA)] = UNSET
    min_samples: Annotated[
        Integer, Meta(description="A slice with fewer rows is shown, and not judged: chance alone could fail it.")
    ] = 30


class Bound(Fields, frozen=True):
    """What a metric must reach."""

    min: Annotated[Number | UnsetType, Meta(description="The metric must not be below this.")] = UNSET
    max: Annotated[Number | UnsetType, Meta(description="The metric must not be above this.")] = UNSET
    min_delta: Annotated[Number | UnsetType, Meta(description=_MIN_DELTA)] = UNSET
    min_samples: Annotated[
        Integer | UnsetType,
        Meta(description="The test table must have so many rows, or nothing is said about the model."),
    ] = UNSET
    slices: Annotated[
        SliceBound | UnsetType, Meta(description="What it must reach in every slice of `slices`, besides.")
    ] = UNSET


class SliceBy(Fields, frozen=True):
    """Parts of the table by the values of a column."""

    column: Annotated[str, Meta(description="The column, a feature or not.")]
    bins: Annotated[
        Integer,
        Meta(description="Into how many ranges of about as many rows numbers and moments are divided, 2 to 50."),
    ] = 4


class CanServe(Fields, frozen=True):
    """Where a model is to be served. Stands for a step `<name>-serving` of the kind `rehearse`, right before this one: a Pod that is gone when it has said its verdict, which the gate reads."""

    image: Annotated[
        str,
        Meta(
            description="The serving image: any image with `pip install mlworkflow` and the libraries of its own. A local run asks the process that it is.",
            min_length=1,
        ),
    ]


class Evaluate(Fields, frozen=True):
    """Predicts the test part, and leaves `report` (one HTML file), `scores` (JSON: every number of the report) and every metric as an output parameter.

    With an input `champion`, another model, both are measured on the same rows. The metrics that there are:

    | task | metrics |
    |---|---|
    | classes | `accuracy`, `balanced_accuracy`, `f1_macro`, `f1_weighted`, `precision_macro`, `recall_macro`, `mcc`, `kappa`; of two classes, for the second, `f1`, `precision`, `recall`, `specificity`; with probabilities `roc_auc`, `average_precision`, `log_loss`, `brier`, `calibration_error` |
    | several labels | `subset_accuracy`, `hamming_loss`, `f1_micro`, `f1_macro`, `f1_weighted`, `f1_samples`, `jaccard_samples`, `precision_macro`, `recall_macro`; with probabilities `roc_auc`, `average_precision` |
    | a quantity; of several the mean over them | `rmse`, `mae`, `r2`, `median_error`, `max_error`, `explained_variance`; `mape` where nothing is zero, `rmsle` where nothing is below |
    | clusters | `silhouette`, `davies_bouldin`, `calinski_harabasz`; with a target `adjusted_rand`, `adjusted_mutual_info`, `v_measure` |
    """

    metrics: Annotated[list[str] | UnsetType, Meta(description="Which metrics. Default: all that fit the task.")] = (
        UNSET
    )
    gate: Annotated[
        dict[str, Bound],
        Meta(
            description="Metric → bound. A rule that does not hold fails the step with reason `GateFailed` and a message that names every such rule; the report is kept."
        ),
    ] = {}
    can_serve: Annotated[
        Boolean | CanServe,
        Meta(
            description="A rule of the gate: a fresh process loads the model and predicts its golden rows, as at training. `true`: in this step's own image. "
            "`{image: …}`: in a Pod of the image that is to serve it."
        ),
    ] = False
    slices: Annotated[
        list[str | SliceBy],
        Meta(
            description="Columns of the test table whose parts are measured by themselves: each value (20 at most, the commonest), or ranges of numbers and moments."
        ),
    ] = []
    time: Annotated[
        str | UnsetType,
        Meta(
            description="The column by whose order errors are shown over time. Default: the first one that holds moments."
        ),
    ] = UNSET
    target: Annotated[
        str | list[str] | UnsetType,
        Meta(
            description="The column to predict, or one for each of several labels or quantities. Default: what the model names."
        ),
    ] = UNSET
    seed: Annotated[
        Integer,
        Meta(description="Of the intervals and of the rows that are drawn for importances and partial dependence."),
    ] = 0
    confidence: Annotated[Number, Meta(description="How sure intervals are, 0.5 to below 1.")] = 0.95


def _check(body: Evaluate) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    for name, bound in body.gate.items():
        path = f"gate.{name}"
        if all(getattr(bound, field) is UNSET for field in Bound.__struct_fields__):
            problems.append((path, "needs `min`, `max`, `minDelta`, `minSamples` or `slices`"))
        problems += _crossed(bound, path)
        if isinstance(bound.slices, SliceBound):
            problems += _crossed(bound.slices, f"{path}.slices")
            if bound.slices.min is bound.slices.max is bound.slices.min_delta is UNSET:
                problems.append((f"{path}.slices", "needs `min`, `max` or `minDelta`"))
            if not body.slices:
                problems.append(
                    (f"{path}.slices", "is for slices, and `slices` does not say what they are: name columns")
                )
    for index, by in enumerate(body.slices):
        if isinstance(by, SliceBy) and isinstance(by.bins, int) and not 2 <= by.bins <= 50:
            problems.append((f"slices[{index}].bins", f"is from 2 to 50, not {by.bins}"))
    if isinstance(body.confidence, float | int) and not 0.5 <= body.confidence < 1:
        problems.append(("confidence", f"is a share from 0.5 to below 1, not {body.confidence:g}"))
    return problems


def _crossed(bound: Bound | SliceBound, path: str) -> list[tuple[str, str]]:
    low, high = bound.min, bound.max
    if isinstance(low, float | int) and isinstance(high, float | int) and low > high:
        return [(path, f"min {low:g} is above max {high:g}: nothing can pass")]
    return []


_EXAMPLE = """\
name: evaluate
inputs: {model: {from: train.model}, test: {from: prep.test}, champion: {from: current.model}}
evaluate:
  slices: [season, {column: temp, bins: 4}]
  gate:
    rmse: {max: 50, minDelta: 0, slices: {max: 80, minDelta: -5}}
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
    text_fields=frozenset({"time"}),
    is_cached=True,
    check=_check,
    example=_EXAMPLE,
)

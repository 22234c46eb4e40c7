"""`predict`: a model's answers for the rows of a table."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.kinds.validate import CODES, Drift
from mlworkflow.core.values import Boolean, Fields, Integer


class Predict(Fields, frozen=True):
    """Predicts the rows of the input `data` with the input `model`, part by part: memory does not grow with the table. Raw rows pass the model's own preprocessor.

    Leaves `predictions` (Parquet, the rows in their order): the columns of `keep`, `prediction`, `probability_<class>` where asked, and `model`, the digest of the model, in every
    row. `skew` (JSON) and `report` (one HTML file) say how the rows differ from those that the model was trained on, by the codes of `validate`: a column that is missing or
    of another type stops the step, which names it; unknown categories, ranges, gaps and skew are told. No target is needed.
    """

    keep: Annotated[
        list[str],
        Meta(description="Columns of the table that the predictions have too, such as the one that identifies a row."),
    ] = []
    probabilities: Annotated[Boolean, Meta(description="Also the probability of each class.")] = False
    name: Annotated[
        str | UnsetType,
        Meta(description="What the model is called, in the column `model_name` of every row: `bikes@champion`."),
    ] = UNSET
    batch: Annotated[Integer, Meta(description="Rows at a time.")] = 20_000
    other_features: Annotated[
        Boolean,
        Meta(
            description="Predict a table of features that other code made than the model's, by the names of its columns. Otherwise it is refused (`FeatureCodeMismatch`)."
        ),
    ] = False
    level: Annotated[
        dict[str, Literal["block", "warn", "ignore"]],
        Meta(
            description="Code of an anomaly → `block`, `warn` or `ignore`. One that blocks fails the step with reason `DataInvalid`, the predictions are kept."
        ),
    ] = {}
    skew: Annotated[Drift, Meta(description="When a column counts as skewed.")] = Drift()


def _check(body: Predict) -> list[tuple[str, str]]:
    problems = [("batch", "is at least 1")] if isinstance(body.batch, int) and body.batch < 1 else []
    unknown = [code for code in body.level if code not in CODES]
    return problems + [(f"level.{code}", f"is no anomaly; known are: {', '.join(CODES)}") for code in unknown]


_EXAMPLE = """\
name: predict
inputs: {model: {from: train.model}, data: {from: {dataset: next-month}}}
predict:
  keep: [ride]
  level: {Skew: block}
"""

KIND = Kind(
    name="predict",
    order=45,
    summary="a model's answers for the rows of a table",
    body=Predict,
    command=built_in("predict"),
    inputs=("model", "data"),
    outputs={
        "predictions": "file",
        "skew": "file",
        "report": "file",
        "model": "string",
        "rows": "integer",
        "skewed": "json",
        "anomaly_count": "integer",
    },
    text_fields=frozenset({"name"}),
    is_cached=True,
    check=_check,
    example=_EXAMPLE,
)

"""`validate`: tables held against a schema, a reference and each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import Kind, built_in, exactly_one
from mlworkflow.core.kinds.prep import SOURCES, Source, unpinned
from mlworkflow.core.values import Fields, Json, Number

CODES = (
    "NoRows", "ColumnMissing", "ColumnExtra", "TypeChanged", "OutOfRange", "NewCategory", "MissingValues", "LabelAbsent", "LabelUnseen", "TargetLeakage",
    "SplitOverlap", "Drift", "Skew",
)  # fmt: skip


class ColumnRule(Fields, frozen=True):
    """What a column must keep, over what the schema says of it."""

    type: Annotated[
        Literal["integer", "number", "boolean", "time", "category", "text"] | UnsetType,
        Meta(description="What the values are. A column that the schema does not know needs it."),
    ] = UNSET
    min: Annotated[Number | UnsetType, Meta(description="No value may be below this.")] = UNSET
    max: Annotated[Number | UnsetType, Meta(description="No value may be above this.")] = UNSET
    categories: Annotated[list[Json] | UnsetType, Meta(description="Every value is one of these.")] = UNSET
    missing: Annotated[Number | UnsetType, Meta(description="The largest share of missing values, 0 to 1.")] = UNSET


class Drift(Fields, frozen=True):
    """When a column counts as drifted: if the difference is large (`measure`, `threshold`) and no chance (`chance`)."""

    measure: Annotated[
        Literal["psi", "js"], Meta(description="`psi`: population stability index; `js`: Jensen-Shannon distance.")
    ] = "psi"
    threshold: Annotated[Number, Meta(description="From here on a difference is large.")] = 0.1
    chance: Annotated[
        Number,
        Meta(
            description="How likely it may be that any column at all is named although nothing has changed. Numbers are tested by Kolmogorov-Smirnov, "
            "labels by chi-square, each at this level divided by the number of columns."
        ),
    ] = 0.001
    columns: Annotated[list[str] | UnsetType, Meta(description="Compare only these. Default: all.")] = UNSET


class Validate(Fields, frozen=True):
    """Checks tables: the input `table`, or the inputs `train` and `test`, or a `source`. All anomalies are found in one pass; one that blocks fails the step with reason `DataInvalid`.

    The schema is the input `schema` or the field `schema`, else it is inferred from the input `reference`, else from the table itself. Leaves `schema` (JSON), `anomalies`
    (JSON) and `report` (one HTML file), also when it fails. With a `reference` every table is compared with it (`Drift`), without one `test` is compared with `train` (`Skew`).

    | code | what is wrong | level |
    |---|---|---|
    | `NoRows` | the table is empty | block |
    | `ColumnMissing` | a column of the schema is not there; if another looks like it, the message says which | block |
    | `ColumnExtra` | a column that the schema does not know | warn |
    | `TypeChanged` | values of another type: text among numbers, fractions among whole numbers | block |
    | `OutOfRange` | numbers outside `min` and `max` | block |
    | `NewCategory` | a category that the schema does not know | block |
    | `MissingValues` | more values are missing than may be | block |
    | `LabelAbsent` | the target is not there, or not in every row (`environment: training`) | block |
    | `LabelUnseen` | a class that the schema does not know | block |
    | `TargetLeakage` | a feature that is the target or decides it, or features whose sum it is | block |
    | `SplitOverlap` | rows of `test` that are in `train` too | block; warn for one row, or up to 1 % of them, unless declared |
    | `Drift`, `Skew` | a column is distributed otherwise than in `reference`, or than in `train` | warn |
    """

    source: Annotated[
        Source | UnsetType,
        Meta(description="Where the table comes from. Default: the input `table`, or the inputs `train` and `test`."),
    ] = UNSET
    target: Annotated[
        str | UnsetType, Meta(description="The column to predict. Default: the one that the schema or `prep` named.")
    ] = UNSET
    environment: Annotated[
        Literal["training", "serving"],
        Meta(
            description="`serving`: the rows are to be predicted, so they have no target, and nothing is said about it."
        ),
    ] = "training"
    schema: Annotated[
        Json,
        Meta(
            description="A schema as an earlier `validate` left it. An expression can give it: `${{ params.schema }}`."
        ),
    ] = UNSET
    columns: Annotated[dict[str, ColumnRule], Meta(description="Column → rule over that of the schema.")] = {}
    level: Annotated[
        dict[str, Literal["block", "warn", "ignore"]],
        Meta(description="Code of an anomaly → `block`, `warn` or `ignore`. Default: as the table above says."),
    ] = {}
    drift: Annotated[Drift, Meta(description="When a column counts as drifted.")] = Drift()


def _check(body: Validate) -> list[tuple[str, str]]:
    problems = [] if body.source is UNSET else exactly_one(body.source, "source", SOURCES)
    unknown = [code for code in body.level if code not in CODES]
    return problems + [(f"level.{code}", f"is no anomaly; known are: {', '.join(CODES)}") for code in unknown]


def _unpinned(body: Mapping[str, Any]) -> str:
    return unpinned(body) if "source" in body else ""


_EXAMPLE = """\
name: check
inputs: {train: {from: prep.train}, test: {from: prep.test}}
validate:
  columns: {hr: {min: 0, max: 23}}
  level: {Skew: block}
"""

KIND = Kind(
    name="validate",
    order=15,
    summary="hold data against a schema, a reference and each other",
    body=Validate,
    command=built_in("validate"),
    outputs={
        "schema": "file",
        "anomalies": "file",
        "report": "file",
        "passed": "boolean",
        "anomaly_count": "integer",
        "blocking_count": "integer",
        "codes": "json",
        "drifted": "json",
        "rows": "integer",
    },
    text_fields=frozenset({"target"}),
    is_cached=True,
    unpinned=_unpinned,
    check=_check,
    example=_EXAMPLE,
)

"""`prep`: from a source of data to a training and a test table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import Kind, built_in, exactly_one
from mlworkflow.core.values import Boolean, Fields, Integer, Number

SOURCES = ("sklearn", "path", "url", "s3", "input")


class Source(Fields, frozen=True):
    """Where the table comes from: exactly one of these, and `format` where the name does not tell."""

    sklearn: Annotated[
        str | UnsetType,
        Meta(
            description="A data set that scikit-learn ships: `digits`, `iris`, `wine`, `breast_cancer`, `diabetes`, `linnerud`."
        ),
    ] = UNSET
    path: Annotated[
        str | UnsetType, Meta(description="A file that the step can see: on a laptop, or in a volume of the Pod.")
    ] = UNSET
    url: Annotated[
        str | UnsetType, Meta(description="An `http://`, `https://` or `file://` address, or a plain path.")
    ] = UNSET
    s3: Annotated[
        str | UnsetType,
        Meta(
            description="`s3://bucket/key` of a public object; `MLWF_S3_ENDPOINT` in `env` names another server than AWS."
        ),
    ] = UNSET
    input: Annotated[str | UnsetType, Meta(description="The name of one of the step's inputs.")] = UNSET
    format: Annotated[Literal["csv", "parquet"] | UnsetType, Meta(description="Default: by the name's ending.")] = UNSET


class Columns(Fields, frozen=True):
    """Which columns are kept, and as which types."""

    include: Annotated[list[str] | UnsetType, Meta(description="Keep only these, and the target.")] = UNSET
    exclude: Annotated[list[str] | UnsetType, Meta(description="Leave these out.")] = UNSET
    types: Annotated[
        dict[str, str],
        Meta(description="Column → type: `int64`, `float64`, `string`, `category`, `bool`, `datetime64[ns]`, …"),
    ] = {}


class Split(Fields, frozen=True):
    """How the table is divided. Default: at random. Same seed, same rows."""

    test: Annotated[Number, Meta(description="The test part's share of the rows, above 0 and below 1.")] = 0.25
    stratify: Annotated[Boolean, Meta(description="Keep the classes' shares in both parts.")] = False
    seed: Annotated[Integer, Meta(description="Seed of the shuffle.")] = 0
    time: Annotated[
        bool | str,
        Meta(
            description="Split by time: the last rows are the test part. `true`: in the order of the file; a column's name: in its order."
        ),
    ] = False


class Prep(Fields, frozen=True):
    """Reads a table, chooses columns and types, and splits it into `train` and `test` (Parquet)."""

    source: Annotated[Source, Meta(description="Where the table comes from.")]
    target: Annotated[str, Meta(min_length=1, description="The column to predict.")]
    columns: Annotated[Columns, Meta(description="Which columns are kept, and as which types.")] = Columns()
    split: Annotated[Split, Meta(description="How the table is divided.")] = Split()


def _check(body: Prep) -> list[tuple[str, str]]:
    problems = exactly_one(body.source, "source", SOURCES)
    if isinstance(body.split.test, float) and not 0 < body.split.test < 1:
        problems.append(("split.test", f"is a share above 0 and below 1, not {body.split.test}"))
    if body.split.time and body.split.stratify is True:
        problems.append(("split.stratify", "does not go with `time`: a split by time takes the rows as they come"))
    return problems


def unpinned(body: Mapping[str, Any]) -> str:
    return next((f"source.{name}" for name in ("path", "url", "s3") if name in body["source"]), "")


_EXAMPLE = """\
name: prep
prep:
  source: {sklearn: digits}
  target: target
  split: {test: 0.3, stratify: true}
"""

KIND = Kind(
    name="prep",
    order=10,
    summary="from a source of data to a training and a test table",
    body=Prep,
    command=built_in("prep"),
    outputs={
        "train": "file",
        "test": "file",
        "profile": "file",
        "rows": "integer",
        "train_rows": "integer",
        "test_rows": "integer",
        "features": "integer",
    },
    open_parameters=True,
    text_fields=frozenset({"target"}),
    is_cached=True,
    unpinned=unpinned,
    check=_check,
    example=_EXAMPLE,
)

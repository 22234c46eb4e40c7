"""`prep`: from a source of data to a training and a test table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._features import Feature, feature_problems
from mlworkflow.core.kinds._kind import Kind, built_in, exactly_one
from mlworkflow.core.signature import LONGEST, CodeError, classes_of
from mlworkflow.core.values import Boolean, Fields, Integer, Number

if TYPE_CHECKING:
    from mlworkflow.core.step import Step

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
    """How the table is divided. Default: at random. Same seed, same rows.

    With `folds` every row of the training part gets the number of a fold, from 0, in the column `fold`, for `train` to cross-validate with (`cv: {fold: fold}`). Folds are
    divided as the parts are: at random, stratified, or by group. Folds in the order of time are made by `train` itself (`cv: {time: …}`).
    """

    test: Annotated[Number, Meta(description="The test part's share of the rows, above 0 and below 1.")] = 0.25
    stratify: Annotated[Boolean, Meta(description="Keep the classes' shares in both parts.")] = False
    seed: Annotated[Integer, Meta(description="Seed of the shuffle.")] = 0
    time: Annotated[
        bool | str,
        Meta(
            description="Split by time: the last rows are the test part. `true`: in the order of the file; a column's name: in its order."
        ),
    ] = False
    group: Annotated[
        Annotated[str, Meta(min_length=1)] | UnsetType,
        Meta(
            description="The column that says what belongs together (a customer, a patient): rows of one value are never in both parts, nor in two folds.",
        ),
    ] = UNSET
    folds: Annotated[
        Integer | UnsetType, Meta(description="Number of folds of the training part, at least 2. Default: none.")
    ] = UNSET


class Code(Fields, frozen=True):
    """Python code of your own: the classes that `features` name without a dot. It travels with the workflow, the fitted preprocessor and the model. What it imports has to be in the image."""

    source: Annotated[
        Annotated[str, Meta(max_length=LONGEST)] | UnsetType,
        Meta(description="The code itself, as it is: no expression in it."),
    ] = UNSET
    file: Annotated[
        str | UnsetType,
        Meta(
            description="A file beside the YAML file. `mlwf run`, `mlwf submit` and `mlwf lint` put its text into `source`; kubectl cannot. "
            "Beside `source` it is what the code is called in messages."
        ),
    ] = UNSET


class Prep(Fields, frozen=True):
    """Reads a table, chooses columns and types, and splits it into `train` and `test` (Parquet).

    With `features` the parts hold these, and the fitted transformer is the output `preprocessor`: an input of `train`, which puts it into the model.
    """

    source: Annotated[Source, Meta(description="Where the table comes from.")]
    target: Annotated[str, Meta(min_length=1, description="The column to predict.")]
    columns: Annotated[Columns, Meta(description="Which columns are kept, and as which types.")] = Columns()
    split: Annotated[Split, Meta(description="How the table is divided.")] = Split()
    features: Annotated[
        Annotated[list[Feature], Meta(min_length=1, max_length=1000)] | UnsetType,
        Meta(description="What the model sees. Default: the columns as they are."),
    ] = UNSET
    code: Annotated[Code | UnsetType, Meta(description="Transformers of your own.")] = UNSET
    remainder: Annotated[
        Literal["passthrough", "drop"],
        Meta(
            description="What becomes of columns that `features` does not name: numbers pass as they are, anything else has to be named or left out. "
            "The columns of `split.time` and `split.group` are only features where they are named."
        ),
    ] = "passthrough"
    keep: Annotated[
        list[str],
        Meta(
            description="Columns that stay in both tables beside the features, and are none: weights, groups, times or partitions for `train`. "
            "Those of `split.time` and `split.group` are kept in any case."
        ),
    ] = []


def _check(body: Prep) -> list[tuple[str, str]]:
    problems = exactly_one(body.source, "source", SOURCES)
    if isinstance(body.split.test, float) and not 0 < body.split.test < 1:
        problems.append(("split.test", f"is a share above 0 and below 1, not {body.split.test}"))
    return [*problems, *_of_split(body.split), *_of_columns(body), *_of_features(body)]


def _of_split(split: Split) -> list[tuple[str, str]]:
    problems = []
    if split.time and split.stratify is True:
        problems.append(("split.stratify", "does not go with `time`: a split by time takes the rows as they come"))
    if split.group is not UNSET and (split.time or split.stratify is True):
        other = "time" if split.time else "stratify"
        problems.append(("split.group", f"does not go with `{other}`: name one of them"))
    if split.folds is not UNSET and split.time:
        problems.append(("split.folds", "does not go with `time`: `cv.time` of `train` makes folds in order"))
    if isinstance(split.folds, int) and split.folds < 2:
        problems.append(("split.folds", f"needs at least 2 folds, not {split.folds}"))
    return problems


def _of_columns(body: Prep) -> list[tuple[str, str]]:
    excluded = body.columns.exclude or []
    needed = [
        ("split.time", body.split.time),
        ("split.group", body.split.group),
        *(("keep", name) for name in body.keep),
    ]
    problems = [
        (path, f"'{name}' is left out by `columns.exclude`: take it out of one of the two")
        for path, name in needed
        if name in excluded
    ]
    return problems + [
        ("keep", f"'{body.target}' is the target, which stays anyhow") for name in body.keep if name == body.target
    ]


def _of_features(body: Prep) -> list[tuple[str, str]]:
    if body.code is not UNSET and body.code.source is UNSET:
        if body.code.file is UNSET:
            return [("code", "name one of: source, file")]
        return [
            ("code.file", "is read by mlwf, into `source`: `mlwf submit` this workflow, or put the code into `source`")
        ]
    if body.features is UNSET:
        return [] if body.remainder == "passthrough" else [("remainder", "is for what `features` does not name")]
    return feature_problems(body.features, body.target, body.columns.exclude or [], body.code is not UNSET)


def _check_use(step: Step, inputs: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Whether the code is code, and has the classes that are named, as far as its text tells."""
    code = step.body.get("code", {})
    if "source" not in code or step.common.image is not UNSET:  # another image may have another Python
        return
    where, prefix = ("prep.code.file", f"{code['file']}: ") if "file" in code else ("prep.code.source", "")
    try:
        found = classes_of(code["source"])
    except CodeError as error:
        yield where, f"{prefix}{error}"
        return
    for index, feature in enumerate(step.body.get("features", [])):
        name = feature.get("use", ".")
        if "." not in name and found is not None and name not in found:
            known = f"it has: {', '.join(sorted(found)) or 'none'}"
            yield f"prep.features[{index}].use", f"the code has no class '{name}'; {known}"


def unpinned(body: Mapping[str, Any]) -> str:
    return next((f"source.{name}" for name in ("path", "url", "s3") if name in body["source"]), "")


_EXAMPLE = """\
name: prep
prep:
  source: {sklearn: digits}
  target: target
  split: {test: 0.3, stratify: true}
  features:
    - {columns: ["pixel_*"], binarize: 7.5}
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
        "preprocessor": "directory",
        "rows": "integer",
        "train_rows": "integer",
        "test_rows": "integer",
        "features": "integer",
    },
    absent=lambda body: frozenset({"preprocessor"}) if body.features is UNSET else frozenset(),
    open_parameters=True,
    text_fields=frozenset({"target"}),
    literal_fields=frozenset({"code"}),
    is_cached=True,
    is_open=lambda body: "code" in body,
    unpinned=unpinned,
    check=_check,
    check_use=_check_use,
    example=_EXAMPLE,
)

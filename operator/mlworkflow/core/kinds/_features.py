"""The features of a `prep` step: what becomes of which columns, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.values import Boolean, Fields, Integer, Json, Number

Part: TypeAlias = Literal[
    "year", "quarter", "month", "week", "day", "dayofweek", "dayofyear", "hour", "minute", "second", "epoch"
]  # fmt: skip


class Text(Fields, frozen=True):
    """Words and sequences of words as features: tf-idf, and the best of them. The defaults are those of Google's guide to text classification."""

    ngrams: Annotated[
        Annotated[list[int], Meta(min_length=2, max_length=2)] | UnsetType,
        Meta(description="Shortest and longest sequence. Default: [1, 2]."),
    ] = UNSET
    min_df: Annotated[
        Number, Meta(description="Leave out what is in fewer texts: a number of texts, or a share below 1.")
    ] = 2
    max_df: Annotated[
        Number, Meta(description="Leave out what is in more texts: a share up to 1, or a number of texts.")
    ] = 1.0
    k_best: Annotated[Integer, Meta(description="Keep so many, those that tell most of the target (F-test).")] = 20_000
    analyzer: Annotated[Literal["word", "char", "charWithinWords"], Meta(description="What a sequence is made of.")] = (
        "word"
    )
    strip_accents: Annotated[Literal["unicode", "ascii", "none"], Meta(description="How accents are removed.")] = (
        "unicode"
    )
    sublinear: Annotated[Boolean, Meta(description="1 + log(count) in place of the count.")] = False


class Feature(Fields, frozen=True):
    """Columns, and what becomes of them. What is named is done in the order `datetime`, `impute` or `fill`, and then one of `scale`, `binarize`, `encode`, `text`, `use`.

    With nothing of all that the columns are taken as they are. Everything is learnt from the training part alone.
    """

    column: Annotated[Annotated[str, Meta(min_length=1)] | UnsetType, Meta(description="One column.")] = UNSET
    columns: Annotated[
        Annotated[list[str], Meta(min_length=1)] | UnsetType,
        Meta(description="Several columns, each treated alike. `pixel_*` stands for all that are called so."),
    ] = UNSET
    name: Annotated[
        Annotated[str, Meta(min_length=1)] | UnsetType,
        Meta(description="Begins the names of the features, where two entries would make the same."),
    ] = UNSET
    datetime: Annotated[
        Annotated[list[Part], Meta(min_length=1)] | UnsetType,
        Meta(description="Parts of a moment. `epoch` is in seconds, `dayofweek` is 0 on Mondays."),
    ] = UNSET
    format: Annotated[
        Annotated[str, Meta(min_length=1)] | UnsetType,
        Meta(description="How moments are written, such as `%d.%m.%Y %H:%M`. Default: ISO 8601."),
    ] = UNSET
    impute: Annotated[
        Literal["mean", "median", "mostFrequent"] | UnsetType, Meta(description="What missing values become.")
    ] = UNSET
    fill: Annotated[
        bool | float | str | UnsetType, Meta(description="The value that missing values become, in place of `impute`.")
    ] = UNSET
    scale: Annotated[
        Literal["standard", "minMax", "maxAbs", "robust"] | UnsetType,
        Meta(
            description="`standard`: mean 0, deviation 1; `minMax`: 0 to 1; `maxAbs`: -1 to 1; `robust`: by median and quartiles."
        ),
    ] = UNSET
    binarize: Annotated[Number | UnsetType, Meta(description="1 where the value is above this, else 0.")] = UNSET
    encode: Annotated[
        Literal["oneHot", "ordinal"] | UnsetType,
        Meta(description="`oneHot`: a feature for each value; `ordinal`: numbers from 0 in the order of the values."),
    ] = UNSET
    unseen: Annotated[
        Literal["ignore", "error", "infrequent"],
        Meta(
            description="What a value is, to `encode`, that the training part did not have. `ignore`: 0 in every feature (`ordinal`: -1); `error`: refused; "
            "`infrequent`: as those below `minFrequency`."
        ),
    ] = "ignore"
    min_frequency: Annotated[
        Number | UnsetType,
        Meta(
            description="`encode` puts rarer values into one: a number of rows, or a share below 1. Default: none are."
        ),
    ] = UNSET
    text: Annotated[Text | UnsetType, Meta(description="Words as features. `{}` for the defaults.")] = UNSET
    use: Annotated[
        Annotated[str, Meta(min_length=1)] | UnsetType,
        Meta(
            description="A transformer by its import path (`sklearn.preprocessing.SplineTransformer`), or the name of a class in `code`.",
        ),
    ] = UNSET
    params: Annotated[dict[str, Json], Meta(description="Parameters of that transformer.")] = {}


LAST = ("scale", "binarize", "encode", "text", "use")
"""What ends an entry: at most one of these."""

_NEEDS = {
    "format": ("datetime",),
    "unseen": ("encode",),
    "min_frequency": ("encode",),
    "params": ("use",),
}


def feature_problems(
    features: Sequence[Feature], target: str, excluded: Sequence[str], has_code: bool
) -> list[tuple[str, str]]:
    """What is wrong with each entry: (path below `prep`, message)."""
    unknown = [
        (
            f"features[{index}].use",
            f"'{feature.use}' is no import path (package.module.Class); a class of your own needs `code`",
        )
        for index, feature in enumerate(features)
        if feature.use is not UNSET and "." not in feature.use and not has_code
    ]
    return unknown + [
        (f"features[{index}]{f'.{field}' if field else ''}", message)
        for index, feature in enumerate(features)
        for field, message in (*_of_columns(feature, target, excluded), *_of_steps(feature), *_of_text(feature))
    ]


def _of_columns(feature: Feature, target: str, excluded: Sequence[str]) -> Iterator[tuple[str, str]]:
    if (feature.column is UNSET) == (feature.columns is UNSET):
        yield "", "name exactly one of: column, columns"
        return
    field, names = ("columns", feature.columns) if feature.column is UNSET else ("column", [feature.column])
    for name in names or []:
        if name == target:
            yield field, f"'{name}' is the target: a model that sees it has nothing to predict; take it out"
        if name in excluded:
            yield field, f"'{name}' is left out by `columns.exclude`: take it out of one of the two"


def _of_steps(feature: Feature) -> Iterator[tuple[str, str]]:
    given = [name for name in LAST if getattr(feature, name) is not UNSET]
    if len(given) > 1:
        yield given[1], f"does not go with `{given[0]}`: make two entries, or one that uses a pipeline of your own"
    if feature.impute is not UNSET and feature.fill is not UNSET:
        yield "fill", "does not go with `impute`: name one of them"
    if feature.text is not UNSET:
        for name in ("datetime", "impute", "fill"):
            if getattr(feature, name) is not UNSET:
                yield name, "does not go with `text`; a missing text has no words"
    for name, wanted in _NEEDS.items():
        default = {"unseen": "ignore", "params": {}}.get(name, UNSET)
        if getattr(feature, name) != default and not any(getattr(feature, one) is not UNSET for one in wanted):
            yield _camel(name), f"means nothing without `{wanted[0]}`"
    if feature.unseen == "infrequent" and (feature.encode == "ordinal" or feature.min_frequency is UNSET):
        yield "unseen", "`infrequent` needs `encode: oneHot` and `minFrequency`"


def _of_text(feature: Feature) -> Iterator[tuple[str, str]]:
    text = feature.text
    if text is UNSET:
        return
    if text.ngrams and not 1 <= text.ngrams[0] <= text.ngrams[1]:
        yield "text.ngrams", f"is a shortest and a longest length, such as [1, 2], not {text.ngrams}"
    if isinstance(text.k_best, int) and text.k_best < 1:
        yield "text.kBest", f"is at least 1, not {text.k_best}"
    for name in ("min_df", "max_df"):
        value = getattr(text, name)
        if isinstance(value, int | float) and (value <= 0 or (value > 1 and value % 1)):
            yield f"text.{_camel(name)}", f"is a number of texts or a share of them, not {value}"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)

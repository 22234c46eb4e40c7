"""`profile`: what a table is like, before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import Kind, built_in, exactly_one
from mlworkflow.core.kinds.prep import SOURCES, Source, unpinned
from mlworkflow.core.values import Fields


class Profile(Fields, frozen=True):
    """Describes a table: types, missing values, ranges, quantiles, classes, what goes with the target, words per text. Leaves `profile` (JSON) and `report` (one HTML file).

    The numbers are output parameters, so that a `when` can choose a branch by them. `samples_per_words` is the number of texts divided by the
    words that half of them exceed.
    """

    source: Annotated[
        Source | UnsetType, Meta(description="Where the table comes from. Default: the step's input `table`.")
    ] = UNSET
    target: Annotated[
        str | UnsetType,
        Meta(
            description="The column to predict. Default: the one that `prep` named; without one, columns are described only."
        ),
    ] = UNSET
    text: Annotated[
        str | UnsetType,
        Meta(
            description="The column whose words are counted. Default: the one with the longest texts, of 3 words or more."
        ),
    ] = UNSET


def _check(body: Profile) -> list[tuple[str, str]]:
    return [] if body.source is UNSET else exactly_one(body.source, "source", SOURCES)


def _unpinned(body: Mapping[str, Any]) -> str:
    return unpinned(body) if "source" in body else ""


_EXAMPLE = """\
name: look
inputs: {table: {from: prep.train}}
profile: {}
"""

KIND = Kind(
    name="profile",
    order=5,
    summary="what a table is like: statistics, and a report",
    body=Profile,
    command=built_in("profile"),
    outputs={
        "profile": "file",
        "report": "file",
        "rows": "integer",
        "columns": "integer",
        "duplicates": "integer",
        "missing_share": "number",
        "task": "json",
        "classes": "integer",
        "smallest_class_share": "number",
        "words_per_sample": "number",
        "samples_per_words": "number",
    },
    optional_outputs=frozenset({"task", "classes", "smallest_class_share", "words_per_sample", "samples_per_words"}),
    text_fields=frozenset({"target", "text"}),
    is_cached=True,
    unpinned=_unpinned,
    check=_check,
    example=_EXAMPLE,
)

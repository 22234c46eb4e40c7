"""What is in an artifact, by what it is."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from mlworkflow.ui.answers.base import Answer, Json


class Stats(Answer, frozen=True):
    """Of a column. Those that do not apply are null."""

    nulls: int
    distinct: Annotated[int | None, "At most 10,000 are counted, then null."] = None
    min: Json = None
    max: Json = None
    mean: float | None = None
    std: float | None = None
    histogram: Annotated[list[int], "Counts in 20 bins of equal width from min to max; empty where it is no number."] = []  # fmt: skip
    top: Annotated[list[tuple[Any, int]], "The 10 most frequent values of a column that is no number: [value, count]."] = []  # fmt: skip


class TableColumn(Answer, frozen=True):
    """A column of a table."""

    name: str
    type: Annotated[str, "int64, double, string, dictionary, …"]
    stats: Stats


class Entry(Answer, frozen=True):
    """A member of a directory or a collection."""

    path: Annotated[str, "Relative, with slashes; for the parameter `path`."]
    type: Literal["file", "directory", "link"]
    size: int
    target: Annotated[str, "Of a link."] = ""


class TablePreview(Answer, frozen=True, tag="table", tag_field="kind"):
    """Rows of a table (Parquet, CSV, Arrow)."""

    columns: list[TableColumn]
    rows: Annotated[list[list[Any]], "From `offset` on; numbers, strings, booleans, null; anything else as text."]
    offset: int
    total: Annotated[int, "Rows of the table; statistics are of `looked_at` of them."]
    looked_at: int
    left_out: Annotated[int, "Columns beyond the first 200."]
    format: Annotated[str, "parquet, csv, arrow."]


class ImagePreview(Answer, frozen=True, tag="image", tag_field="kind"):
    """PNG, JPEG, GIF, WebP: safe in an <img>."""

    url: Annotated[str, "Same origin."]
    media_type: str


class HtmlPreview(Answer, frozen=True, tag="html", tag_field="kind"):
    """HTML or SVG: not ours, for an <iframe sandbox="allow-scripts" src=url> only."""

    url: Annotated[str, "Of another origin, signed, good for some minutes: ask again for another."]
    expires: int


class JsonPreview(Answer, frozen=True, tag="json", tag_field="kind"):
    """A JSON document of up to 2 MiB."""

    value: Json


class TextPreview(Answer, frozen=True, tag="text", tag_field="kind"):
    """Lines of a text."""

    text: Annotated[str, "From line `offset` on."]
    offset: int
    lines: Annotated[int, "Lines in `text`."]
    has_more: bool
    language: Annotated[str, "yaml, markdown, csv, python, … or empty."] = ""


class DirectoryPreview(Answer, frozen=True, tag="directory", tag_field="kind"):
    """What is in a directory or a collection; a member's preview is had with `path`."""

    entries: Annotated[list[Entry], "All levels, sorted by path, from `offset` on."]
    offset: int
    total: int


class BinaryPreview(Answer, frozen=True, tag="binary", tag_field="kind"):
    """Nothing to be shown but its beginning."""

    head: Annotated[str, "The first 256 bytes, as hex digits."]
    why: Annotated[str, "Why there is no preview, one sentence: too large, not readable, not known."]
    media_type: str = ""


PreviewBody: TypeAlias = (
    TablePreview | ImagePreview | HtmlPreview | JsonPreview | TextPreview | DirectoryPreview | BinaryPreview
)


class Preview(Answer, frozen=True):
    """An artifact, or a member of one, to be looked at."""

    digest: str
    name: str
    path: str
    size: int
    download: Annotated[str, "The address to save it from."]
    body: PreviewBody

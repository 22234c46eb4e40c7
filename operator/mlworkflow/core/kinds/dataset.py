"""`dataset`: a named dataset, as it is when the step runs. An input with `from: {dataset: …}` stands for such a step."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.kinds._kind import Kind
from mlworkflow.core.origins import dataset_parts
from mlworkflow.core.values import Fields


class Dataset(Fields, frozen=True):
    """Looks a named dataset up (`mlwf dataset`), without a Pod, and leaves the version that it found."""

    name: Annotated[
        str,
        Meta(min_length=1, max_length=256, description="`NAME` is the newest version, `NAME@sha256:…` this one."),
    ]


def _check(body: Dataset) -> list[tuple[str, str]]:
    if OPEN in body.name or dataset_parts(body.name):
        return []
    return [("name", "is NAME or NAME@sha256:<64 hexadecimal digits>, the name as that of a step")]


_EXAMPLE = """\
name: bikes
dataset: {name: bikes}
"""

KIND = Kind(
    name="dataset",
    order=2,
    summary="a named dataset",
    body=Dataset,
    has_pod=False,
    outputs={"data": "artifact", "digest": "string"},
    text_fields=frozenset({"name"}),
    check=_check,
    example=_EXAMPLE,
)

"""`model`: a model by name, as it is when the step runs. An input with `from: {model: …}` stands for such a step."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.kinds._kind import Kind
from mlworkflow.core.origins import model_parts
from mlworkflow.core.values import Fields


class Model(Fields, frozen=True):
    """Looks a model up (`mlwf models`), without a Pod, and leaves the version that it found."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=256,
            description="`NAME@champion` is what the alias means, `NAME@3` and `NAME@sha256:…` are one version.",
        ),
    ]
    optional: Annotated[bool, Meta(description="Where there is none such, the step succeeds and leaves nothing.")] = (
        False
    )


def _check(body: Model) -> list[tuple[str, str]]:
    if OPEN in body.name or model_parts(body.name):
        return []
    return [("name", "is NAME@ALIAS, NAME@3 or NAME@sha256:<64 hexadecimal digits>, the names as those of steps")]


_EXAMPLE = """\
name: champion
model: {name: bikes@champion, optional: true}
"""

KIND = Kind(
    name="model",
    order=3,
    summary="a model by name",
    body=Model,
    has_pod=False,
    outputs={"data": "artifact", "digest": "string", "version": "integer"},
    optional_outputs=frozenset({"data", "digest", "version"}),
    text_fields=frozenset({"name"}),
    check=_check,
    example=_EXAMPLE,
)

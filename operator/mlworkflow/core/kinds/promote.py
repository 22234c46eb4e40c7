"""`promote`: have an alias of a model by name mean a model that a step has left."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.kinds._kind import Kind
from mlworkflow.core.names import MAX_NAME, STEP_NAME
from mlworkflow.core.origins import ALIAS
from mlworkflow.core.values import Fields

EXPECTED = r"^(any|none|[1-9][0-9]{0,8}|sha256:[0-9a-f]{64})?$"


class Promote(Fields, frozen=True):
    """Makes the input `model` a version of a model by name, and moves an alias to it, without a Pod. It is done once, or not at all."""

    model: Annotated[
        str, Meta(min_length=1, max_length=256, description="The name. It exists from its first version on.")
    ]
    alias: Annotated[
        str, Meta(min_length=1, max_length=256, description="What is to mean this version from now on.")
    ] = "champion"
    expect: Annotated[
        str,
        Meta(
            max_length=256,
            description="What the alias has to mean before: a version's number or digest, `none` or `any`. Default: what it meant at the start of the run, "
            "where an input of the workflow, or a `model` step, is NAME@ALIAS of the same alias, else `any`.",
        ),
    ] = ""
    message: Annotated[str, Meta(max_length=1024, description="Why; it is kept with the move.")] = ""
    dry_run: Annotated[
        bool, Meta(description="Say what it would do, and move nothing, as `mlwf reproduce` has it.")
    ] = False


def problems_of(body: Promote) -> list[tuple[str, str]]:
    """What is wrong with one: (field, message). What an expression stands for is looked at when it is known."""
    checks = (
        ("model", body.model, STEP_NAME, "is no name of a model: it has lower case letters, digits and dashes"),
        ("alias", body.alias, ALIAS, "is no alias: it has lower case letters, digits and dashes, and begins with a letter"),
        ("expect", body.expect, EXPECTED, "is `any`, `none`, a version's number or its digest (sha256:…)"),
    )  # fmt: skip
    return [
        (field, f"'{text}' {wrong}")
        for field, text, pattern, wrong in checks
        if OPEN not in text and (not re.fullmatch(pattern, text) or (len(text) > MAX_NAME and field != "expect"))
    ]


_EXAMPLE = """\
name: promote
inputs: {model: {from: train.model}}
after: [evaluate]
promote: {model: bikes, message: "RMSE ${{ steps.evaluate.outputs.rmse }}"}
"""

KIND = Kind(
    name="promote",
    order=75,
    summary="have an alias of a model by name mean a model",
    body=Promote,
    inputs=("model",),
    outputs={"version": "integer", "previous": "integer", "digest": "string"},
    text_fields=frozenset({"model", "alias", "expect", "message"}),
    has_pod=False,
    check=problems_of,
    example=_EXAMPLE,
)

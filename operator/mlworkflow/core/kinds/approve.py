"""`approve`: wait for a person."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import Kind
from mlworkflow.core.values import Fields, Json

InputType = Literal["string", "number", "integer", "boolean", "json"]


class Question(Fields, frozen=True):
    """A value that the person supplies."""

    type: Annotated[InputType, Meta(description="`string`, `number`, `integer`, `boolean` or `json`.")] = "string"
    description: Annotated[str, Meta(description="What is asked.")] = ""
    default: Annotated[Json | UnsetType, Meta(description="Taken where the person gives none.")] = UNSET
    enum: Annotated[list[Json], Meta(description="The only values that are taken.")] = []


class Approve(Fields, frozen=True):
    """Waits until a person says yes or no (`mlwf approve`), without a Pod. Who it was and what they supplied are its output parameters."""

    message: Annotated[str, Meta(description="What is to be decided; expressions are evaluated.")] = ""
    inputs: Annotated[dict[str, Question], Meta(max_length=64, description="Values that the person supplies.")] = {}


def accepts(question: Question, value: Json) -> str:
    """What is wrong with a value; nothing if it fits."""
    fits = {
        "string": isinstance(value, str),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "json": True,
    }
    if not fits[question.type]:
        return f"is not of type {question.type}"
    if question.enum and value not in question.enum:
        return f"is none of {', '.join(map(repr, question.enum))}"
    return ""


def _check(body: Approve) -> list[tuple[str, str]]:
    return [
        (f"inputs.{name}.default", problem)
        for name, question in body.inputs.items()
        if question.default is not UNSET and (problem := accepts(question, question.default))
    ] + [
        (f"inputs.{name}", "the step leaves an output of this name itself")
        for name in body.inputs
        if name in ("approved", "by", "comment")
    ]


_EXAMPLE = """\
name: ship
after: [evaluate]
approve:
  message: "Accuracy is ${{ steps.evaluate.outputs.accuracy }}. Ship it?"
  inputs:
    share: {type: number, default: 0.1, description: share of the traffic}
timeout: 2d
"""

KIND = Kind(
    name="approve",
    order=80,
    summary="wait for a person's yes or no",
    body=Approve,
    outputs={"approved": "boolean", "by": "string", "comment": "string"},
    open_parameters=True,
    text_fields=frozenset({"message"}),
    has_pod=False,
    check=_check,
    example=_EXAMPLE,
)

"""What all answers are made of, and why something was not done."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

Json: TypeAlias = Any
Time: TypeAlias = int | None
Params: TypeAlias = dict[str, Any]
Column: TypeAlias = list[Any]
Point: TypeAlias = tuple[float, float | None]
RunPhase: TypeAlias = Literal["Pending", "Running", "Suspended", "Succeeded", "Failed", "Cancelled"]
TaskPhase: TypeAlias = Literal["Pending", "Running", "Suspended", "Succeeded", "Failed", "Skipped", "Cancelled"]
Verb: TypeAlias = Literal["submit", "retry", "suspend", "resume", "approve", "cancel", "delete", "promote"]


class Answer(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of all of them."""


class Nothing(Answer, frozen=True):
    """There is nothing to say."""


class Finding(Answer, frozen=True):
    """What is wrong with a workflow, or will surprise."""

    line: Annotated[int, "From 1."]
    path: Annotated[str, "The field: `spec.steps[1].train.estimator`."]
    message: str
    severity: Literal["error", "warning"]


class Problem(Answer, frozen=True):
    """Why something was not done."""

    status: Annotated[int, "As of HTTP: 400 bad request, 401 sign in, 403 not allowed, 404 not there (any more), 409 not now, 422 not sound, 502 the cluster does not answer."]  # fmt: skip
    message: Annotated[str, "What is wrong, one sentence."]
    hint: Annotated[str, "What to do; may be empty."] = ""
    findings: Annotated[list[Finding], "Of a workflow that is not sound: where."] = []


class Done(Answer, frozen=True):
    """It was done."""

    message: Annotated[str, "One sentence, to be shown."]
    namespace: str = ""
    run: Annotated[str, "The run that it is about now: a new one, or the same."] = ""

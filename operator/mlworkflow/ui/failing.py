"""Why something was not done, as a `Problem` with its status."""

from __future__ import annotations

from mlworkflow.core.errors import ExpressionError, SpecError, UserError
from mlworkflow.runs.errors import NoSuchRun, NotAllowed, Refused, Removed, RunsError, Unknown, Usage
from mlworkflow.ui.answers import Problem

BAD, SIGN_IN, NOT_ALLOWED, NOT_THERE, NOT_NOW, NOT_SOUND, ELSEWHERE = 400, 401, 403, 404, 409, 422, 502
TOO_LARGE, TOO_MANY = 413, 429


class Refusal(RunsError):
    """A refusal with its status."""

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status


def problem_of(error: UserError) -> Problem:
    """What the page is told of an error that is not ours."""
    return Problem(
        status=_status(error),
        message=str(error),
        hint=getattr(error, "hint", ""),
        findings=getattr(error, "findings", []),
    )


def _status(error: UserError) -> int:
    match error:
        case Refusal():
            return error.status
        case NoSuchRun() | Removed():
            return NOT_THERE
        case Usage():
            return BAD
        case SpecError() | ExpressionError():
            return NOT_SOUND
        case NotAllowed():
            return NOT_ALLOWED
        case Unknown():
            return SIGN_IN
        case Refused():
            return ELSEWHERE
    return NOT_NOW

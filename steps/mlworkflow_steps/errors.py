"""The one way in which a built-in step says that it cannot go on.

    Exception
    └── StepFailure    a user can mend it: the spec, the data, or the model is not as it has to be
        └── SpecInvalid    a field of the spec, named by its path

Anything else that reaches `__main__` is a bug of ours or of the estimator's, and ends with its traceback in the log.
"""

from __future__ import annotations


class StepFailure(Exception):
    """`reason` is one CamelCase word for the status, `message` one sentence that says what to mend."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class SpecInvalid(StepFailure):
    """The field at `path` (`prep.split.test`) is not as it has to be."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__("SpecInvalid", f"{path}: {problem}")


def first_line(error: BaseException) -> str:
    """An error of a library as one line that fits into a status message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:400]}" if lines else type(error).__name__

"""What the command line says when it cannot do what was asked: one clear line, what to do next, and never a traceback.

CliError                  exit code 1: it was tried, and did not work
├── Usage                 exit code 2: the call itself cannot work
├── NoSuchRun             there is no workflow of this name
└── Refused               the cluster or the store said no, in its own words
"""

from __future__ import annotations

import os
import sys
import traceback

from mlworkflow.core.errors import SpecError, UsageError, UserError

BUG = 70  # EX_SOFTWARE


class CliError(UserError):
    """`hint` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Usage(CliError):
    """The call cannot work as it was made."""

    exit_code = 2


class NoSuchRun(CliError):
    """There is no run or workflow of this name."""


class Removed(CliError):
    """The store does not have it any more."""


class Refused(CliError):
    """Somebody else's refusal."""


def report(error: Exception) -> int:
    """Say on standard error what went wrong; the exit code."""
    if os.environ.get("MLWF_DEBUG"):
        traceback.print_exception(error)
    match error:
        case CliError():
            _say(str(error), error.hint)
            return error.exit_code
        case SpecError():
            for problem in error.problems:
                _say(str(problem))
            return 1
        case UsageError():
            _say(str(error))
            return 2
        case UserError():
            _say(str(error))
            return 1
        case OSError():
            _say(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error))
            return 1
    _say(f"this is a bug: {type(error).__name__}: {error}", "MLWF_DEBUG=1 shows where; please report it")
    return BUG


def _say(message: str, hint: str = "") -> None:
    print(f"mlwf: {message}", file=sys.stderr)
    if hint:
        print(f"      {hint}", file=sys.stderr)

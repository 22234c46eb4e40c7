"""What the command line says when it cannot do what was asked, and how it exits: never a traceback."""

from __future__ import annotations

import os
import sys
import traceback

from mlworkflow.core.errors import SpecError, UsageError, UserError
from mlworkflow.runs.errors import RunsError

BUG = 70  # EX_SOFTWARE


def report(error: Exception) -> int:
    """Say on standard error what went wrong; the exit code."""
    if os.environ.get("MLWF_DEBUG"):
        traceback.print_exception(error)
    match error:
        case RunsError():
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

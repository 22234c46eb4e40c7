"""What can go wrong beside the core's errors. All of them are a `UserError`, whose message is for people.

UserError
├── SpecError             the workflow cannot run: `problems`, each with its field
├── RunsError             it was tried, and did not work; `hint` says what to do next
├── RunFailed             a run ended, and not as it should
└── ExtraMissing          something needs libraries that are not installed
"""

from __future__ import annotations

from mlworkflow.core.errors import SpecError, UserError
from mlworkflow.runs.errors import NoSuchRun, RunsError

__all__ = ["ExtraMissing", "NoSuchRun", "RunFailed", "RunsError", "SpecError", "UserError"]


class RunFailed(UserError):
    """`phase` is Failed or Cancelled. `step` is the first that failed (empty where none did), `reason` its word for why, `message` with the last lines of its log."""

    def __init__(self, run: str, phase: str, step: str, reason: str, message: str) -> None:
        where = f": {step} ({reason})" if step else ""
        super().__init__(f"{run} {phase.lower()}{where}: {message}" if message else f"{run} {phase.lower()}{where}")
        self.run, self.phase, self.step, self.reason, self.message = run, phase, step, reason, message


class ExtraMissing(UserError, ImportError):
    """`extra` is what to install: ``pip install 'mlworkflow[steps]'``."""

    def __init__(self, what: str, extra: str, missing: str) -> None:
        super().__init__(f"{what} needs {missing}, which is not installed: pip install 'mlworkflow[{extra}]'")
        self.extra = extra

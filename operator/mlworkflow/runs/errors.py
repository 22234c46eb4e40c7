"""Why something asked of runs could not be done: one clear line, and what to do next.

RunsError                 it was tried, and did not work
├── Usage                 the call itself cannot work
├── NoSuchRun             there is no workflow of this name
├── Removed               the store does not have it any more
└── Refused               the cluster or the store said no, in its own words
    ├── NotAllowed        … because of who asks
    └── Unknown           … because it does not know who asks (any more)
"""

from __future__ import annotations

from mlworkflow.core.errors import UserError


class RunsError(UserError):
    """`hint` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Usage(RunsError):
    """The call cannot work as it was made."""

    exit_code = 2


class NoSuchRun(RunsError):
    """There is no run or workflow of this name."""


class Removed(RunsError):
    """The store does not have it any more."""


class Refused(RunsError):
    """Somebody else's refusal."""


class NotAllowed(Refused):
    """Whoever asks has no right to it."""


class Unknown(Refused):
    """Whoever asks is not known, or not any more."""

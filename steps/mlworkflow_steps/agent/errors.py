"""How an attempt can fail in the agent's hands.

StepFailure        the step failed: `reason` is one word, the message is for the person who made the step
Superseded         the gateway has no use for this attempt: end quietly
GatewayRefused     the gateway said no for good
GaveUp             nobody answered for as long as patience lasts
"""

from __future__ import annotations

from collections.abc import Sequence


class StepFailure(Exception):
    """A failure to commit: `reason` is one word of the contract."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Superseded(Exception):
    """This attempt has been replaced or has committed."""


class GatewayRefused(Exception):
    """A final no: `status` is 403, 404, 413 or 422. `missing` are artifacts of a result that are not in the store any more."""

    def __init__(self, status: int, words: str, missing: Sequence[str] = ()) -> None:
        super().__init__(words)
        self.status = status
        self.missing = missing


class GaveUp(Exception):
    """Patience is over."""

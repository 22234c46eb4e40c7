"""What the API server means when it does not create a Pod: not now, or never.

It has no word for it that a program could rely on: admission answers 403 for a full quota and for a forbidden Pod alike, so its sentences
are read. What is not known to pass does not pass: a step that waits for what will never be is worse than one that fails and says why.
"""

from __future__ import annotations

import re

from mlworkflow.engine.driver import NotNow, Refused
from mlworkflow.kube.errors import ApiError

_PASSING = re.compile(
    r"""
    exceeded\ quota | status\ unknown\ for\ quota | insufficient\ quota          # until others have ended, or just made
    | (maximum|minimum)\ \S+\ usage\ per\ \S+\ is                                 # a LimitRange, until somebody changes it
    | max\ limit\ to\ request\ ratio\ per\ \S+\ is
    | error\ looking\ up\ service\ account | no\ API\ token\ found               # of a namespace that is being made
    | not\ yet\ ready\ to\ handle\ request                                        # an admission plugin that is starting
    """,
    re.VERBOSE,
)
_DENIED = re.compile(r'admission webhook "[^"]*" denied the request|ValidatingAdmissionPolicy \'')
"""Words of somebody else's: whatever they quote, they were a decision."""

_LATER = frozenset({0, 401, 408, 409, 425, 429})
"""No answer, no credentials at the moment, a quota that was written to at the same moment, too much at once."""


def refusal(error: ApiError) -> NotNow | Refused:
    """Why a Pod was not created, in the API server's own words."""
    if error.status >= 500 or error.status in _LATER:
        return NotNow(error.message)  # a webhook that cannot be called among them
    if error.status == 403 and _PASSING.search(error.message) and not _DENIED.search(error.message):
        return NotNow(error.message)
    return Refused(error.message)

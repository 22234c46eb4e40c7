"""What a store means by an answer that is no success: not now, never, or never unless its keys are being changed just now.

A store that is busy, broken or late is waited for. One that is full has said all there is to say. What it refuses is refused for
good the third time, each with a fresh URL; but a key that it does not know (yet, or any more) may be one that is being replaced, and
a URL whose time is over one that was late on its way, so that these count only once they have gone on for `GRACE` seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mlworkflow_steps.agent import wire
from mlworkflow_steps.agent.errors import StepFailure

GRACE = 180.0
_TIMES = 3
_LATER = frozenset({408, 425, 429})
_LATER_CODES = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "IncompleteBody", "OperationAborted",
     "ConditionalRequestConflict", "TooManyRequests", "Throttling", "ThrottlingException", "XMinioServerNotInitialized"}
)  # fmt: skip
_FULL_CODES = frozenset(
    {"XMinioStorageFull", "XMinioStorageBackendFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded",
     "InsufficientStorage", "InsufficientCapacity", "StorageQuotaExceeded"}
)  # fmt: skip
_NEVER_CODES = frozenset({"EntityTooLarge"})
_KEY_CODES = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidTokenId", "ExpiredToken",
     "TokenRefreshRequired", "RequestTimeTooSkewed", "RequestExpired", "ExpiredPresignRequest"}
)  # fmt: skip
_KEY_WORDS = ("has expired", "not valid yet", "signature does not match")


class Refusals:
    """What a store answered to one transfer since it last got on; `noun` is what is transferred, `clock` counts seconds."""

    def __init__(self, noun: str, clock: Callable[[], float]) -> None:
        self._noun = noun
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Progress was made: what was refused before counts no more."""
        self._refused = 0
        self._keys = 0
        self._since = 0.0

    def heard(self, answer: wire.Answer) -> str:
        """The words of an answer that is no success, where another try may help. Raises `StepFailure` (`StoreFull`, `StoreRefused`)."""
        code, said = _said(answer)
        words = f"the store answered {answer.status}" + (f" ({said})" if said else "")
        if answer.status == 507 or code in _FULL_CODES:
            raise StepFailure("StoreFull", f"{self._noun}: {words}")
        if answer.status >= 500 or answer.status in _LATER or code in _LATER_CODES:
            return words
        if code in _KEY_CODES or any(text in said for text in _KEY_WORDS):
            self._keys += 1
            self._since = self._since if self._keys > 1 else self._clock()
            is_final = self._keys >= _TIMES and self._clock() - self._since >= GRACE
        else:
            self._refused += 1
            is_final = self._refused >= _TIMES or code in _NEVER_CODES
        if is_final:
            raise StepFailure("StoreRefused", f"{self._noun}: {words}")
        return words


def _said(answer: wire.Answer) -> tuple[str, str]:
    """The code and the sentence of a refusal: S3 in XML, the gateway in JSON."""
    try:
        text = answer.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        text = ""
    code, message = re.search(r"<Code>(.*?)</Code>", text), re.search(r"<Message>(.*?)</Message>", text)
    if code:
        return code[1], f"{code[1]}: {message[1]}"[:300] if message else code[1][:300]
    found = re.search(r'"error":\s*"([^"]*)"', text)
    return "", found[1][:300] if found else ""

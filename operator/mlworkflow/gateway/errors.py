"""What the gateway answers when it does not do what was asked: each error is one HTTP status.

    GatewayError
    ├── Unauthorized 401      no token, or one that does not convince
    ├── Forbidden    403      a good token, but not for this
    ├── Unknown      404      there is no such input, output, artifact or record
    ├── TooSlow      408      the body did not arrive in time
    ├── Superseded   409      this attempt has been replaced or has committed
    ├── Overtaken    409      what was to be changed is not what was expected
    ├── TooLarge     413
    ├── Invalid      422      the body is wrong, and will be wrong again
    │   └── Absent            but for this: what it names is not in the store
    ├── TooMany      429      this caller asks more often than it may
    └── NotReady     503      not yet or not now: ask again

Messages go to the caller: one sentence, never a token or a signed URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class GatewayError(Exception):
    """An answer that is not what was asked for; `str(error)` is the sentence in ``{"error": …}``."""

    status: ClassVar[int] = 500


class Unauthorized(GatewayError):
    """No token, or one that does not convince; the caller re-reads it and tries again."""

    status = 401


class Forbidden(GatewayError):
    """The caller is known, and this is not the caller's."""

    status = 403


class Unknown(GatewayError):
    """There is nothing by this name."""

    status = 404


class TooSlow(GatewayError):
    """The body did not arrive in time; the caller may try again."""

    status = 408


class Superseded(GatewayError):
    """The attempt has been replaced or has committed: its agent ends quietly."""

    status = 409


class Overtaken(GatewayError):
    """Somebody else has changed it, who and to what is in the message."""

    status = 409


class TooLarge(GatewayError):
    """The body is over the limit."""

    status = 413


class Invalid(GatewayError):
    """The body is not what the contract says; the same body will be refused again."""

    status = 422


class Absent(Invalid):
    """A result names artifacts that are not in the store (any more): uploaded once more, it is as good as before."""

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = list(names)


class TooMany(GatewayError):
    """The caller asks more often than it may, and may again in `after` seconds; `is_news` once for each time that it does."""

    status = 429

    def __init__(self, after: float, is_news: bool) -> None:
        super().__init__("too many calls: the gateway takes fewer from one Pod")
        self.after = after
        self.is_news = is_news


class NotReady(GatewayError):
    """The answer is not known yet; the caller asks again."""

    status = 503

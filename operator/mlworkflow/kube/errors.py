"""What can go wrong between us and the API server.

    ApiError
    ├── Unauthorized     401, after the credentials were renewed once
    ├── Forbidden        403
    ├── NotFound         404
    ├── AlreadyExists    409, reason AlreadyExists: a create met an object of that name
    ├── Conflict         409 otherwise: the object changed since it was read
    ├── Gone             410: a resourceVersion or continue token is too old
    ├── Invalid          422
    ├── Throttled        429, with the server's Retry-After
    └── Unavailable      5xx, or status 0: no connection, a timeout, a broken answer

`Conflict` and `AlreadyExists` are siblings, because one is answered by a requeue and the other by adoption.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from mlworkflow.kube.objects import Json


class ApiError(Exception):
    """An answer of the API server that is not a success.

    `status` is the HTTP code (0 when there was no answer), `reason` the machine-readable word and `message` the
    sentence of the server's Status object, `details` its `details`.
    """

    def __init__(self, status: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}" if status else f"{reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.details: Mapping[str, Any] = details or {}


class Unauthorized(ApiError):
    """The server does not know who we are."""


class Forbidden(ApiError):
    """Our role does not allow this, or a quota does not."""


class NotFound(ApiError):
    """There is no such object, or no such resource."""


class AlreadyExists(ApiError):
    """The name of a created object is taken, perhaps by an earlier attempt of the same request."""


class Conflict(ApiError):
    """The object has changed since it was read."""


class Gone(ApiError):
    """The server no longer remembers the version that we ask about: list again."""


class Invalid(ApiError):
    """The object breaks its schema."""


class Throttled(ApiError):
    """The server asks for fewer requests; `retry_after` is in seconds, None when it did not say."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, reason, message, details)
        self.retry_after = retry_after


class Unavailable(ApiError):
    """The server is broken or out of reach; the request may or may not have taken effect."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
}


def error_from_status(status: Json, code: int = 0, retry_after: float | None = None) -> ApiError:
    """The error for a Kubernetes Status, from a response (with its HTTP `code`) or from an ERROR event of a watch."""
    code = code or int(status.get("code") or 500)
    reason = status.get("reason") or "Unknown"
    message = status.get("message") or status.get("error") or "no message"  # `error`: our gateway, through the proxy
    details = status.get("details") or {}
    if code == 429:
        return Throttled(code, reason, message, details, retry_after or details.get("retryAfterSeconds"))
    if code == 409 and reason == "AlreadyExists":
        return AlreadyExists(code, reason, message, details)
    if code >= 500:
        return Unavailable(code, reason, message, details)
    return _BY_STATUS.get(code, ApiError)(code, reason, message, details)


def error_from_response(code: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """The error for an HTTP response; a body that is not a Status (a proxy's page, say) becomes the message."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict):
        status = {"message": body[:500].decode(errors="replace").strip()}
    seconds = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    return error_from_status(status, code, seconds)


def no_answer(error: BaseException) -> Unavailable:
    """The error for a request that ended without a whole answer."""
    return Unavailable(0, type(error).__name__, str(error) or "no answer")

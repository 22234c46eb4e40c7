"""Bodies and answers: JSON in, JSON out, the token of a request, and errors as answers.

Every refusal is one line in the log, which says who asked, for what, and why not: never with a token, a body or the grant of a URL.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from mlworkflow.gateway.errors import Absent, GatewayError, Invalid, TooLarge, TooMany, TooSlow, Unauthorized
from mlworkflow.store.errors import (
    InvalidKey,
    KeysRefused,
    NotFound,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)

MAX_BODY = 4 << 20
BODY_SECONDS = 30.0
"""How long a body may take to arrive."""
_LONGEST_SEGMENT = 80
"""No longer part of a path is logged: it may be the grant of a signed URL."""
_TOO_LARGE = f"a body, and so a whole result, has at most {MAX_BODY >> 20} MiB: make large values artifacts"
_T = TypeVar("_T")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CALLER: ContextVar[str] = ContextVar("caller", default="-")
"""Who makes the request at hand, for the log; handlers set it once they know."""
RIDER = "X-Mlworkflow-Rider"
"""Which of the trials that share a Pod makes a request."""
BODY_TIME = web.AppKey("body_seconds", float)
_log = logging.getLogger("mlworkflow.gateway")
_STATUS: Mapping[type[StoreError], int] = {
    StoreUnavailable: 503,
    StoreFull: 507,
    StoreRefused: 403,
    KeysRefused: 503,  # ours, not the step's: not even its failure could be recorded
    NotFound: 404,
    InvalidKey: 422,
}


def answer(value: Any, status: int = 200) -> web.Response:
    """A value as a JSON answer."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


async def body(request: web.Request, kind: type[_T]) -> _T:
    """The request's body as `kind`; raises `TooLarge` above 4 MiB, `TooSlow`, `Invalid` with the field's path."""
    if (request.content_length or 0) > MAX_BODY:
        raise TooLarge(_TOO_LARGE)
    try:
        async with asyncio.timeout(request.app.get(BODY_TIME, BODY_SECONDS)):
            data = await request.read()
        return msgspec.json.decode(data, type=kind)
    except TimeoutError:
        raise TooSlow("the body did not arrive in time") from None
    except web.HTTPRequestEntityTooLarge:
        raise TooLarge(_TOO_LARGE) from None
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Invalid(f"the body is not what the contract says: {error}") from None


def bearer(request: web.Request) -> str:
    """The token of the `Authorization` header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("a bearer token is missing")
    return token.strip()


@web.middleware
async def errors_as_answers(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """The one place where an error becomes a status; a refusal is one log line, with the route and never its
    parameters' secrets.
    """
    try:
        return await handler(request)
    except Absent as error:
        return _refusal(request, error.status, str(error), missing=error.names)
    except TooMany as error:
        refusal = _refusal(request, error.status, str(error), level=logging.WARNING if error.is_news else logging.DEBUG)
        refusal.headers["Retry-After"] = str(math.ceil(error.after))
        return refusal
    except GatewayError as error:
        return _refusal(request, error.status, str(error))
    except StoreError as error:
        return _refusal(request, _STATUS.get(type(error), 503), str(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _refusal(request, error.status, error.reason)
    except Exception:
        _log.exception("failed method=%s route=%s", request.method, _route(request))
        return answer({"error": "the gateway has a bug; its log says more"}, 500)


def _refusal(request: web.Request, status: int, words: str, level: int = logging.WARNING, **more: Any) -> web.Response:
    _log.log(level, "refused status=%d method=%s route=%s path=%r caller=%s peer=%s error=%s",
                 status, request.method, _route(request), _path(request), CALLER.get(), request.remote, words)  # fmt: skip
    refusal = answer({"error": words, **more}, status)
    if not request.content.is_eof():
        refusal.force_close()  # what is still to come of its body is nobody's
    return refusal


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "-"


def _path(request: web.Request) -> str:
    segments = request.path.split("/")[:12]
    return "/".join(segment if len(segment) <= _LONGEST_SEGMENT else "…" for segment in segments)


class RefusalsOfHttp(logging.LoggerAdapter[logging.Logger]):
    """The log of aiohttp's server. What is no HTTP is a refusal like any other; the server's own words quote it, with a token that was in it."""

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        error = options.get("exc_info")
        if isinstance(error, HttpProcessingError):
            _log.warning("refused status=%d method=- route=- path='' caller=- peer=%s error=no HTTP that is taken here: %s",
                         error.code, args[0] if args else "-", type(error).__name__)  # fmt: skip
        else:
            self.logger.log(level, msg, *args, **options)

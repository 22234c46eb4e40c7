"""Bodies and answers: JSON in, JSON out, the token of a request, and errors as answers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from mlworkflow.gateway.errors import Absent, GatewayError, Invalid, TooLarge, Unauthorized
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
_TOO_LARGE = f"a body, and so a whole result, has at most {MAX_BODY >> 20} MiB: make large values artifacts"
_T = TypeVar("_T")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CALLER: ContextVar[str] = ContextVar("caller", default="-")
"""Who makes the request at hand, for the log; handlers set it once they know."""
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
    """The request's body as `kind`; raises `TooLarge` above 4 MiB, `Invalid` with the field's path."""
    if (request.content_length or 0) > MAX_BODY:
        raise TooLarge(_TOO_LARGE)
    try:
        return msgspec.json.decode(await request.read(), type=kind)
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


def _refusal(request: web.Request, status: int, words: str, **more: Any) -> web.Response:
    _log.warning("refused status=%d method=%s route=%s caller=%s error=%s",
                 status, request.method, _route(request), CALLER.get(), words)  # fmt: skip
    return answer({"error": words, **more}, status)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "-"

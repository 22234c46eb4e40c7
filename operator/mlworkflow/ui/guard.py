"""What every request has to keep to and every response says, whatever is asked for (docs/ui.md, the security model).

* `Host` is one that the page is known by: a name that some other site has made to mean this machine (DNS rebinding) is refused.
* Nothing comes from another site: `Origin` and `Sec-Fetch-Site` say so in any browser. What changes something is JSON, which a form cannot send.
* The page runs its own scripts and styles and none that are written into it, and is in nobody's frame.
* Content that is not ours comes from another port, where nothing else is; where there is but one, its responses are sandboxed (`content`).
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlworkflow.ui.answers import Problem
from mlworkflow.ui.responses import answered

CONTENT = "/content/"
OIDC = "/api/v1/sign-in/oidc"
"""An identity provider sends people back there: the one address of the API that another site may lead to."""
_SELF = "'self'"
BODY = 2 << 20
"""Bytes of a request."""


def policy(content_origin: str) -> str:
    """The Content-Security-Policy of the page."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; "
        f"manifest-src 'self'; frame-src {content_origin or _SELF}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


class Guard:
    """ASGI middleware. `hosts` None: any, which is for a server that no cookie of another name reaches; `content_port` None: there is one port only."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str] | None,
        content_port: int | None,
        content_origin: str,
        open_paths: Collection[str] = (),
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._open_paths = frozenset(open_paths)
        self._content_port = content_port
        self._headers = {
            "content-security-policy": policy(content_origin),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "x-frame-options": "DENY",
            "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
            "cache-control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_content = scope["path"].startswith(CONTENT)
        if (problem := self._problem(scope, is_content)) is not None:
            await answered(problem, problem.status)(scope, receive, self._sending(send, is_content=False))
            return
        await self._app(scope, receive, self._sending(send, is_content=is_content))

    def _problem(self, scope: Scope, is_content: bool) -> Problem | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and host not in self._hosts and scope["path"] not in self._open_paths:
            return Problem(
                status=403,
                message=f"this page is not known as {host[:100]!r}",
                hint="open the address that was printed",
            )
        if self._content_port is not None and (scope["server"][1] == self._content_port) != is_content:
            return Problem(status=404, message="there is nothing here")
        if is_content:
            return None if scope["method"] in ("GET", "HEAD") else Problem(status=405, message="this can only be read")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        is_page = not scope["path"].startswith("/api/") or scope["path"].startswith(OIDC)
        is_navigation = is_page and headers.get("sec-fetch-mode") == "navigate"
        is_foreign = (origin is not None and urlsplit(origin).netloc != host) or site not in ("none", "same-origin")
        if is_foreign and not (is_navigation and scope["method"] == "GET"):
            return Problem(status=403, message="requests of other sites are not answered")
        if scope["method"] not in ("GET", "HEAD"):
            if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                return Problem(
                    status=415, message="what is asked is written as JSON", hint="Content-Type: application/json"
                )
            length = headers.get("content-length", "")
            if not length.isdecimal() or int(length) > BODY:
                return Problem(status=413, message=f"a request has a Content-Length, of at most {BODY} bytes")
        return None

    def _sending(self, send: Send, *, is_content: bool) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    if not (
                        is_content
                        and name in ("content-security-policy", "x-frame-options", "cross-origin-resource-policy")
                    ):
                        headers.setdefault(name, value)
            await send(message)

        return sending

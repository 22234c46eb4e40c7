"""What steps have left and a browser runs: HTML and SVG. Served by an address that is signed and good for some minutes, and sandboxed.

A document has an origin of its own that is nobody's, whatever address it has: it cannot read the page, its cookie or the API, and cannot ask the network
for anything. Its own scripts and styles run, for reports are made of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from cryptography.fernet import Fernet, InvalidToken
from starlette.requests import Request
from starlette.responses import Response

from mlworkflow.core.errors import UserError
from mlworkflow.ui.answers import Problem
from mlworkflow.ui.failing import problem_of
from mlworkflow.ui.guard import CONTENT
from mlworkflow.ui.previews.show import Asked, Elsewhere
from mlworkflow.ui.previews.sniffing import HEAD, kind_of
from mlworkflow.ui.responses import answered
from mlworkflow.ui.visitors import Door, Visitor

GOOD_FOR = 300
"""Seconds."""
LARGEST = 64 << 20
POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob: data:; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; media-src data: blob:; worker-src blob:; connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors {page}"
)
_MEDIA = {"html": "text/html; charset=utf-8", "svg": "image/svg+xml"}


class Content:
    """`origin` is where it is served, empty for the page's own; `page` is who may have it in a frame."""

    def __init__(self, door: Door, origin: str, page: str, clock: Callable[[], float] = time.time) -> None:
        self._door = door
        self._origin = origin
        self._page = page
        self._key = Fernet(Fernet.generate_key())
        self._clock = clock

    def elsewhere(self, visitor: Visitor) -> Elsewhere:
        """Makes the addresses of what a visitor may see."""

        def address(asked: Asked) -> tuple[str, int]:
            told = [visitor.id, asked.namespace, asked.digest, asked.type, asked.name, asked.path]
            now = int(self._clock())
            ticket = self._key.encrypt_at_time(json.dumps(told).encode(), now).decode()
            return f"{self._origin}{CONTENT}{ticket}", (now + GOOD_FOR) * 1000

        return address

    async def serve(self, request: Request) -> Response:
        try:
            told = self._key.decrypt_at_time(request.path_params["ticket"].encode(), GOOD_FOR, int(self._clock()))
        except InvalidToken:
            return self._refused(
                Problem(status=404, message="this address is not good any more", hint="open it from the page")
            )
        id_, *what = json.loads(told)
        visitor = self._door.by_id(id_)
        if visitor is None:
            return self._refused(Problem(status=404, message="whoever this was for has left"))
        try:
            async with visitor.previews.file(Asked(*what)) as (file, size):
                data = file.read_bytes() if size <= LARGEST else b""
        except UserError as error:
            return self._refused(problem_of(error))
        if not data:
            return self._refused(Problem(status=413, message="it is too large to be shown", hint="download it"))
        media_type = _MEDIA.get(kind_of(data[:HEAD], ""), "text/plain; charset=utf-8")
        return Response(data, headers={"content-type": media_type, **self._headers()})

    def _refused(self, problem: Problem) -> Response:
        response = answered(problem, problem.status)
        response.headers.update(self._headers())
        return response

    def _headers(self) -> dict[str, str]:
        return {
            "content-security-policy": POLICY.format(page=self._page),
            "cross-origin-resource-policy": "cross-origin",
            "cache-control": "private, no-store",
        }

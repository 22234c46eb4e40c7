"""The blob API of a local run: the store's bytes behind the grants of a `BlobSigner`, as S3 would serve presigned
URLs.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from mlworkflow.gateway._json import answer
from mlworkflow.store.directory import DirectoryStore, Incoming
from mlworkflow.store.errors import NotFound
from mlworkflow.store.signing import BlobSigner

_CHUNK = 1 << 20
_SMALL = 1 << 16
_TYPE = "application/octet-stream"


class Blobs:
    """The handlers; `routes` lists them. A grant is all the authentication there is."""

    def __init__(self, store: DirectoryStore, signer: BlobSigner) -> None:
        self._store = store
        self._signer = signer

    def routes(self) -> list[web.RouteDef]:
        """All routes of this API."""
        return [web.get("/blob/{grant}", self.read), web.put("/blob/{grant}", self.write)]

    async def read(self, request: web.Request) -> web.StreamResponse:
        """The object, by sendfile, ranges included; a small one in one piece, which costs half as much."""
        path = self._store.path(self._signer.verify(request.match_info["grant"], "GET").key)
        try:
            if path.stat().st_size <= _SMALL and "Range" not in request.headers:
                return web.Response(body=path.read_bytes(), content_type=_TYPE)
        except FileNotFoundError:
            raise NotFound("no such object") from None
        return web.FileResponse(path, headers={"Content-Type": _TYPE})

    async def write(self, request: web.Request) -> web.StreamResponse:
        """Takes the object; it appears only if these are the bytes that were granted."""
        grant = self._signer.verify(request.match_info["grant"], "PUT")
        with self._store.receive(grant.key, grant.digest, grant.size) as incoming:
            await _receive(request, incoming)
            incoming.finish()
        return answer({})


async def _receive(request: web.Request, incoming: Incoming) -> None:
    """Streams the body to `incoming` in pieces of about 1 MiB, hashed and written off the event loop."""
    pieces: list[bytes] = []
    held = 0
    async for piece in request.content.iter_any():
        pieces.append(piece)
        held += len(piece)
        if held >= _CHUNK:
            await asyncio.to_thread(incoming.write, b"".join(pieces))
            pieces, held = [], 0
    incoming.write(b"".join(pieces))

"""The API for people's datasets (contract, section 5): which there are; adding one, its bytes first where the store has not got them; removing a version.

Bytes go through to the store as they come, which keeps them only if they have the digest that they were announced with.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from typing import Annotated

import msgspec
from aiohttp import web

from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._auth import Readers
from mlworkflow.gateway._json import CALLER, answer, body
from mlworkflow.gateway._people import namespace_of
from mlworkflow.gateway.errors import Absent, Invalid, TooLarge, TooSlow, Unknown
from mlworkflow.store import datasets
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import cas_key
from mlworkflow.store.presence import is_present

LARGEST = 5 << 30
"""Bytes of an upload: what an S3 store takes in one piece."""
AT_ONCE = 2
"""Uploads: each takes a thread for as long as it lasts. Others wait."""
SILENCE = 60.0
"""Seconds without a byte after which an upload is given up."""
TYPES = ("file", "directory", "collection")
_SIZE = re.compile(r"[0-9]{1,12}")
_log = logging.getLogger("mlworkflow.gateway")


class _Addition(ArtifactRef, frozen=True):
    source: Annotated[str, msgspec.Meta(max_length=2048)] = ""


class Datasets:
    """The handlers; `routes` lists them."""

    def __init__(self, store: ArtifactStore, readers: Readers, silence: float = SILENCE) -> None:
        self._store = store
        self._readers = readers
        self._silence = silence
        self._slots = asyncio.Semaphore(AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        """All routes of this API."""
        return [
            web.get("/v1/read/{namespace}/datasets", self.newest),
            web.get("/v1/read/{namespace}/datasets/{name}", self.versions),
            web.delete("/v1/read/{namespace}/datasets/{name}", self.remove),
            web.put("/v1/write/{namespace}/artifacts/{digest}", self.upload),
            web.put("/v1/write/{namespace}/datasets/{name}", self.add),
        ]

    async def newest(self, request: web.Request) -> web.Response:
        """The newest version of each dataset."""
        namespace = await namespace_of(request, self._readers.reader)
        return answer({"datasets": await asyncio.to_thread(datasets.newest, self._store, namespace)})

    async def versions(self, request: web.Request) -> web.Response:
        """Every version of a dataset, the newest first."""
        namespace, name = await namespace_of(request, self._readers.reader), request.match_info["name"]
        found = await asyncio.to_thread(datasets.versions, self._store, namespace, name)
        if not found:
            raise Unknown("there is no such dataset")
        return answer({"versions": found})

    async def upload(self, request: web.Request) -> web.Response:
        """Takes the bytes of an artifact, unless they are there."""
        namespace, digest = await namespace_of(request, self._readers.writer), request.match_info["digest"]
        key, text = cas_key(namespace, digest), request.query.get("size", "")
        if not _SIZE.fullmatch(text) or (request.content_length is not None and request.content_length != int(text)):
            raise Invalid("size is the number of bytes of the body")
        size = int(text)
        if size > LARGEST:
            raise TooLarge(
                f"an upload has at most {LARGEST >> 30} GiB: let an import step fetch the data, and name its output"
            )
        if await asyncio.to_thread(is_present, self._store, key, size):
            return answer({"exists": True})
        async with self._slots:
            await asyncio.to_thread(
                self._store.write, key, digest, size, self._pieces(request, asyncio.get_running_loop())
            )
        _log.info("uploaded namespace=%s digest=%s size=%d caller=%s", namespace, digest, size, CALLER.get())
        return answer({"exists": False})

    async def add(self, request: web.Request) -> web.Response:
        """Makes an artifact that is in the store the newest version of a dataset."""
        namespace, name = await namespace_of(request, self._readers.writer), request.match_info["name"]
        added = await body(request, _Addition)
        if added.type not in TYPES or added.size < 0:
            raise Invalid(f"type is one of {', '.join(TYPES)}, and no size is negative")
        artifact = ArtifactRef(added.digest, added.size, added.type)
        try:
            version = await asyncio.to_thread(datasets.add, self._store, namespace, name, artifact, added.source)
        except datasets.NoDataset as missing:
            raise Absent(str(missing), [added.digest]) from None
        _log.info("dataset namespace=%s name=%s digest=%s caller=%s", namespace, name, added.digest, CALLER.get())
        return answer(version)

    async def remove(self, request: web.Request) -> web.Response:
        """Forgets a version of a dataset."""
        namespace, name = await namespace_of(request, self._readers.purger), request.match_info["name"]
        digest = request.query.get("digest", "")
        if not digest:
            raise Invalid("digest is the version to remove")
        try:
            version = await asyncio.to_thread(datasets.remove, self._store, namespace, name, digest)
        except datasets.NoDataset as missing:
            raise Unknown(str(missing)) from None
        _log.info("dataset removed namespace=%s name=%s digest=%s caller=%s", namespace, name, digest, CALLER.get())
        return answer(version)

    def _pieces(self, request: web.Request, loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
        """The body as it comes, for a thread."""
        while True:
            reading = asyncio.run_coroutine_threadsafe(request.content.readany(), loop)
            try:
                piece = reading.result(self._silence)
            except TimeoutError:
                reading.cancel()
                raise TooSlow(f"no byte came for {self._silence:.0f} s") from None
            if not piece:
                return
            yield piece

"""The API for people (contract, section 5): artifacts, records and runs that have ended, of the reader's own namespace."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

import msgspec
from aiohttp import web

from mlworkflow.gateway._auth import Reader, Readers
from mlworkflow.gateway._json import CALLER, answer
from mlworkflow.gateway.errors import Forbidden, Invalid, Unauthorized, Unknown
from mlworkflow.gateway.runs import Point
from mlworkflow.store import archive
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.garbage import Report
from mlworkflow.store.layout import (
    AttemptKey,
    Line,
    cas_key,
    left_key,
    log_key,
    provenance_key,
    record_key,
    series_key,
    signature_key,
    workflow_key,
)
from mlworkflow.store.records import Raw, raw_records, record_keys

HEADER = "X-Mlworkflow-Token"
_ATTEMPT = re.compile(r"[0-9]{1,9}")


LINES = 256
"""Records that are sent at a time."""

Garbage: TypeAlias = Callable[[str], Awaitable[Report]]
"""What of a namespace is garbage; raises `GatewayError` or `StoreError`."""

Purge: TypeAlias = Callable[[str, str], Awaitable[int]]
"""Removes what is kept of a run, by its namespace and uid, and says how much that was; raises `GatewayError` or `StoreError`."""


class People:
    """The handlers; `routes` lists them."""

    def __init__(
        self,
        store: ArtifactStore,
        readers: Readers,
        public_keys: Callable[[], str],
        garbage: Garbage | None = None,
        purge: Purge | None = None,
        live_series: Callable[[AttemptKey], Sequence[Point]] = lambda key: (),
    ) -> None:
        """`public_keys` gives those that statements are verified with, as PEM; it may read a file. `live_series` gives the metrics of what runs."""
        self._store = store
        self._readers = readers
        self._public_keys = public_keys
        self._garbage = garbage
        self._purge = purge
        self._live_series = live_series

    def routes(self) -> list[web.RouteDef]:
        """All routes of this API."""
        return [
            web.get("/v1/read/{namespace}/artifacts/{digest}", self.artifact, allow_head=False),
            web.get("/v1/read/{namespace}/garbage", self.garbage),
            web.get("/v1/read/{namespace}/archive", self.archive),
            web.get("/v1/read/{namespace}/records", self.all_records, allow_head=False),
            web.get("/v1/read/{namespace}/runs/{uid}", self.records),
            web.delete("/v1/read/{namespace}/runs/{uid}", self.purge),
            web.get("/v1/read/{namespace}/runs/{uid}/workflow", self.workflow),
            web.get("/v1/read/{namespace}/runs/{uid}/record", self.record),
            web.get("/v1/read/{namespace}/runs/{uid}/log", self.log),
            web.get("/v1/read/{namespace}/runs/{uid}/left", self.left),
            web.get("/v1/read/{namespace}/runs/{uid}/series", self.series),
            web.get("/v1/read/{namespace}/runs/{uid}/provenance", self.provenance),
            web.get("/v1/read/{namespace}/runs/{uid}/signature", self.signature),
            web.get("/v1/read/{namespace}/keys", self.keys),
        ]

    async def artifact(self, request: web.Request) -> web.StreamResponse:
        """The bytes of an artifact, streamed; none for who has them already."""
        digest = request.match_info["digest"]
        key = cas_key(await self._namespace(request), digest)
        size = await asyncio.to_thread(self._store.stat, key)
        if size is None:
            raise Unknown("there is no such artifact")
        tag = {"ETag": f'"{digest}"', "Cache-Control": "private, no-cache"}  # it never changes, and may be gone
        if any(known.value in (digest, "*") for known in request.if_none_match or ()):
            return web.Response(status=304, headers=tag)
        chunks = await asyncio.to_thread(self._store.read, key)
        headers = {**tag, "Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff"}
        response = web.StreamResponse(headers=headers)
        response.content_length = size
        await response.prepare(request)
        while chunk := await asyncio.to_thread(next, chunks, b""):
            await response.write(chunk)
        await response.write_eof()
        return response

    async def garbage(self, request: web.Request) -> web.Response:
        """What the next garbage collection would remove."""
        namespace = await self._namespace(request)
        if self._garbage is None:
            raise Unknown("no garbage is collected here")
        return answer(await self._garbage(namespace))

    async def archive(self, request: web.Request) -> web.Response:
        """The runs that have ended, or those of one name."""
        namespace, name = await self._namespace(request), request.query.get("name", "")
        lines = await asyncio.to_thread(lambda: sorted(archive.lines(self._store, namespace, name), key=_age))
        return answer({"runs": [line._asdict() for line in lines]})

    async def workflow(self, request: web.Request) -> web.Response:
        """A run that has ended, as its resource told it."""
        at = workflow_key(await self._namespace(request), request.match_info["uid"])
        return web.Response(body=await asyncio.to_thread(self._store.read_bytes, at), content_type="application/json")

    async def purge(self, request: web.Request) -> web.Response:
        """Removes what is kept of a run whose workflow is gone."""
        namespace = await self._namespace(request, self._readers.purger)
        if self._purge is None:
            raise Unknown("nothing is removed here")
        return answer({"records": await self._purge(namespace, request.match_info["uid"])})

    async def all_records(self, request: web.Request) -> web.StreamResponse:
        """Every record of the namespace, each on a line of its own."""
        found = raw_records(self._store, await self._namespace(request))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        first = await asyncio.to_thread(_lines, found)  # before the answer begins: the store may say no
        await response.prepare(request)
        while first:
            await response.write(first)
            first = await asyncio.to_thread(_lines, found)
        await response.write_eof()
        return response

    async def records(self, request: web.Request) -> web.Response:
        """Which attempts of a workflow have a record."""
        namespace, uid = await self._namespace(request), request.match_info["uid"]
        keys = await asyncio.to_thread(lambda: list(record_keys(self._store, namespace, uid)))
        return answer({"records": [{"task": key.task, "attempt": key.attempt} for key in keys]})

    async def record(self, request: web.Request) -> web.Response:
        """One record, as it was written."""
        return await self._kept(request, record_key)

    async def log(self, request: web.Request) -> web.Response:
        """Which artifact is the log of an attempt that has no record, because it was stopped."""
        return await self._kept(request, log_key)

    async def left(self, request: web.Request) -> web.Response:
        """Which artifacts an attempt left that has no record, because it was stopped."""
        return await self._kept(request, left_key)

    async def series(self, request: web.Request) -> web.Response:
        """What an attempt has said of its metrics on the way: of one that runs what is known so far, else what is kept."""
        namespace, uid, task, attempt = await self._attempt(request)
        if points := self._live_series(AttemptKey(namespace, uid, task, attempt)):
            return answer({"points": points, "final": False})
        data = await asyncio.to_thread(self._store.read_bytes, series_key(namespace, uid, task, attempt))
        return answer({"points": msgspec.Raw(data), "final": True})

    async def provenance(self, request: web.Request) -> web.Response:
        """The signed statement of a run that has ended."""
        at = provenance_key(await self._namespace(request), request.match_info["uid"])
        return web.Response(body=await asyncio.to_thread(self._store.read_bytes, at), content_type="application/json")

    async def signature(self, request: web.Request) -> web.Response:
        """The signature of a model."""
        artifact = request.query.get("artifact", "")

        def key(namespace: str, uid: str, task: str, attempt: int) -> str:
            return signature_key(namespace, uid, task, attempt, artifact)

        return await self._kept(request, key)

    async def keys(self, request: web.Request) -> web.Response:
        """The public keys of statements."""
        await self._namespace(request)
        pem = await asyncio.to_thread(self._public_keys)
        if not pem:
            raise Unknown("this operator signs nothing")
        return answer({"keys": pem})

    async def _kept(self, request: web.Request, key: Callable[[str, str, str, int], str]) -> web.Response:
        at = key(*await self._attempt(request))
        return web.Response(body=await asyncio.to_thread(self._store.read_bytes, at), content_type="application/json")

    async def _attempt(self, request: web.Request) -> tuple[str, str, str, int]:
        namespace, attempt = await self._namespace(request), request.query.get("attempt", "0")
        if not _ATTEMPT.fullmatch(attempt):
            raise Invalid("attempt is a number")
        return namespace, request.match_info["uid"], request.query.get("task", ""), int(attempt)

    async def _namespace(self, request: web.Request, known: Callable[[str], Awaitable[Reader]] | None = None) -> str:
        return await namespace_of(request, known or self._readers.reader)


async def namespace_of(request: web.Request, known: Callable[[str], Awaitable[Reader]]) -> str:
    """The namespace that a request is about, and that its token is of. Raises `Unauthorized`, `Forbidden`."""
    token = request.headers.get(HEADER, "")
    if not token:
        raise Unauthorized(f"a token is missing in the header {HEADER}")
    reader = await known(token)
    CALLER.set(f"{reader.namespace}/{reader.service_account}")
    namespace = request.match_info["namespace"]
    if namespace != reader.namespace:
        raise Forbidden(f"the token is for the namespace {reader.namespace}")
    return namespace


def _lines(found: Iterator[Raw]) -> bytes:
    """The next lines; empty where there are no more."""
    lines = []
    for key, data in islice(found, LINES):
        about = {"uid": key.uid, "task": key.task, "attempt": key.attempt, "record": msgspec.Raw(data)}
        lines.append(msgspec.json.encode(about) + b"\n")
    return b"".join(lines)


def _age(line: Line) -> tuple[int, str]:
    return line.ended, line.uid

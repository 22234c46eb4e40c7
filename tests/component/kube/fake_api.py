"""A small fake API server that misbehaves on demand: one collection of Pods with versions, history, pages and watches.

`on(kind, fault)` makes the next request of a kind (`list`, `watch`, `get`, `create`, `patch`, `delete`) meet a fault: a coroutine that takes
the request, and returns a response, or None to go on as usual.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from mlworkflow.kube.auth import Auth, FixedAuth
from mlworkflow.kube.config import ClusterConfig

Json = dict[str, Any]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
PODS = "/api/v1/namespaces/ns/pods"


def status(code: int, reason: str = "", message: str = "said the server", **headers: str) -> Fault:
    """Answer with a Status object."""

    async def fault(request: web.Request) -> web.StreamResponse:
        return failure(code, reason, message, **headers)

    return fault


def failure(code: int, reason: str = "", message: str = "said the server", **headers: str) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return web.json_response(
        body, status=code, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


async def reset(request: web.Request) -> web.StreamResponse | None:
    """Cut the connection before anything is done."""
    assert request.transport
    request.transport.abort()
    return web.Response()


def lines(*given: bytes | Json, then: Fault | None = None) -> Fault:
    """Answer a watch with these lines, then end it, or go on with `then`."""

    async def fault(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in given:
            await response.write(line if isinstance(line, bytes) else orjson.dumps(line) + b"\n")
        if then:
            await then(request)
        return response

    return fault


async def silence(request: web.Request) -> None:
    """Never say anything again, like a connection whose other half is gone."""
    await asyncio.Event().wait()


def error_event(code: int, reason: str) -> Json:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "reason": reason, "message": "said the watch"}}


class FakeApi:
    def __init__(self) -> None:
        self.version = 100
        self.pods: dict[str, Json] = {}
        self.history: list[tuple[int, str, Json]] = []
        self.compacted = 0
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.seen: list[tuple[str, web.Request]] = []
        self.token: str | None = None
        self.documents: dict[str, Json] = {}
        self.busy = self.busiest = 0
        self._changed = asyncio.Event()
        self._watches: set[asyncio.Task[Any]] = set()

    def on(self, kind: str, *faults: Fault) -> None:
        self.faults[kind].extend(faults)

    def requests(self, kind: str) -> list[web.Request]:
        return [request for seen, request in self.seen if seen == kind]

    def put(self, name: str, **fields: Any) -> Json:
        """Create or change a Pod."""
        kind = "MODIFIED" if name in self.pods else "ADDED"
        old = self.pods.get(name, {"metadata": {"name": name, "namespace": "ns", "uid": f"uid-{self.version}"}})
        pod = old | fields | {"metadata": old["metadata"] | {"resourceVersion": self._next()}}
        self.pods[name] = pod
        self._record(kind, pod)
        return pod

    def remove(self, name: str) -> Json:
        pod = self.pods.pop(name)
        pod = pod | {"metadata": pod["metadata"] | {"resourceVersion": self._next()}}
        self._record("DELETED", pod)
        return pod

    def bookmark(self) -> None:
        """Have something else in the cluster change, and watches told how far they have seen."""
        self._record("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": self._next()}})

    def compact(self) -> None:
        """Forget the history; open watches are told so."""
        self.history.clear()
        self.compacted = self.version
        self._wake()

    def drop_watches(self) -> None:
        for watch in self._watches:
            watch.cancel()

    @property
    def watches(self) -> int:
        return len(self._watches)

    @asynccontextmanager
    async def served(self, auth: Auth | None = None) -> AsyncIterator[ClusterConfig]:
        """Run the server; gives the way to it."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._dispatch)
        server = TestServer(app)
        await server.start_server(shutdown_timeout=0)
        try:
            yield ClusterConfig(str(server.make_url("/")).rstrip("/"), None, auth or FixedAuth())
        finally:
            await server.close()

    def _next(self) -> str:
        self.version += 1
        return str(self.version)

    def _record(self, kind: str, obj: Json) -> None:
        self.history.append((self.version, kind, obj))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        collection = request.path == PODS
        kind = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}.get(
            request.method, "list" if collection else "get"
        )
        if "watch" in request.query:
            kind = "watch"
        self.seen.append((kind, request))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return failure(401, "Unauthorized")
        self.busy += kind != "watch"
        self.busiest = max(self.busiest, self.busy)
        try:
            await request.read()
            if self.faults[kind]:
                response = await self.faults[kind].popleft()(request)
                if response is not None:
                    return response
            handler: Fault = getattr(self, f"_{kind}")
            return await handler(request) or web.Response()
        finally:
            self.busy -= kind != "watch"

    async def _list(self, request: web.Request) -> web.StreamResponse:
        version, start = self.version, 0
        if token := request.query.get("continue"):
            version, start = map(int, token.split("-"))
            if version < self.compacted:
                return failure(410, "Expired")
        chunk = int(request.query.get("limit", 0)) or len(self.pods) or 1
        pods = list(self.pods.values())
        metadata: Json = {"resourceVersion": str(version)}
        if start + chunk < len(pods):
            metadata["continue"] = f"{version}-{start + chunk}"
        return web.json_response({"metadata": metadata, "items": pods[start : start + chunk]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        version = int(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        task = asyncio.ensure_future(self._feed(response, version))
        self._watches.add(task)
        try:
            await asyncio.wait([task])
        finally:
            self._watches.discard(task)
            task.cancel()
        return response

    async def _feed(self, response: web.StreamResponse, version: int) -> None:
        while version >= self.compacted:
            changed = self._changed
            for at, kind, obj in [entry for entry in self.history if entry[0] > version]:
                await response.write(orjson.dumps({"type": kind, "object": obj}) + b"\n")
                version = at
            await changed.wait()
        await response.write(orjson.dumps(error_event(410, "Expired")) + b"\n")

    async def _get(self, request: web.Request) -> web.StreamResponse:
        found = self.documents.get(request.path) or self.pods.get(request.path.removeprefix(f"{PODS}/"))
        return web.json_response(found) if found else failure(404, "NotFound")

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        name = body["metadata"].get("name", "generated")
        if name in self.pods:
            return failure(409, "AlreadyExists")
        return web.json_response(self.put(name, **body), status=201)

    async def _patch(self, request: web.Request) -> web.StreamResponse:
        name = request.path.removeprefix(f"{PODS}/").removesuffix("/status")
        body = await request.json()
        asked = body.pop("metadata", {}).get("resourceVersion")
        if asked and asked != self.pods[name]["metadata"]["resourceVersion"]:
            return failure(409, "Conflict")
        return web.json_response(self.put(name, **body))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        name = request.path.removeprefix(f"{PODS}/")
        return web.json_response(self.remove(name)) if name in self.pods else failure(404, "NotFound")


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; the test's own timeout bounds it."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  conditions on many objects, none of which has an event
            await asyncio.sleep(0.001)

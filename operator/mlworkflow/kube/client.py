"""The client of the API server: the verbs of Kubernetes, JSON in, JSON out.

A create can succeed although its answer is lost: its repetition then raises AlreadyExists, which the caller answers
by adopting the object. In the same way the repetition of a delete can raise NotFound, and that of a patch with a
resourceVersion Conflict.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import BinaryIO, Self

import aiohttp
import msgspec
import orjson

from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.clock import Clock, LoopClock
from mlworkflow.kube.config import ClusterConfig
from mlworkflow.kube.errors import ApiError, Unavailable, no_answer
from mlworkflow.kube.objects import Json
from mlworkflow.kube.paths import PODS
from mlworkflow.kube.streams import LineSplitter, WatchEvent, watch_event
from mlworkflow.kube.transport import JSON, ClientStatistics, OnAnswer, Params, Request, Transport

MERGE_PATCH = "application/merge-patch+json"
METADATA_ONLY = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
RETRIES = Backoff(base=0.1, cap=5.0, attempts=4)


class _Version(msgspec.Struct, rename="camel"):
    resource_version: str


class _Written(msgspec.Struct):
    metadata: _Version


class KubeClient:
    """Make one inside a running event loop, and close it, or use it in `async with`.

    Every method raises a subclass of ApiError, and nothing else, when the API server is the trouble. Paths come from
    `paths.Resource`. At most `limit` requests are in flight, not counting watches and streams; `timeout` is for one
    attempt, in seconds; `on_answer` hears of each. Where there is `is_fenced`, nothing is written while it says so, nor arrives much later.
    """

    def __init__(
        self,
        config: ClusterConfig,
        *,
        limit: int = 32,
        timeout: float = 30.0,
        backoff: Backoff = RETRIES,
        clock: Clock | None = None,
        on_answer: OnAnswer = lambda key, seconds, sent: None,
        is_fenced: Callable[[], bool] | None = None,
    ) -> None:
        self.config = config
        self._transport = Transport(
            config,
            limit=limit,
            timeout=timeout,
            backoff=backoff,
            clock=clock or LoopClock(),
            on_answer=on_answer,
            is_fenced=is_fenced,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections, also those of other sessions and open watches."""
        await self._transport.close()

    def session(self) -> aiohttp.ClientSession:
        """A new session over our connections and credentials, for kopf; its owner closes it, which hurts no other."""
        return self._transport.session()

    def statistics(self) -> ClientStatistics:
        """What has been sent since the start."""
        return self._transport.statistics()

    async def server_date(self) -> tuple[str, float]:
        """The `Date` of an answer of the server, empty where it sends none, and how many seconds ago it was true."""
        try:
            await self.request("GET", "/version")
        except ApiError as error:
            if error.status == 0:
                raise
        date = self._transport.server_date()
        assert date is not None
        return date

    async def get(self, path: str, params: Params | None = None) -> Json:
        """One object, as it is now."""
        return _parsed(await self.request("GET", path, params=params))

    async def list(self, path: str, params: Params | None = None) -> Json:
        """One page of a collection: `items`, and in `metadata` the `resourceVersion` and perhaps a `continue` token."""
        return _parsed(await self.request("GET", path, params=params, verb="list"))

    async def pages(self, path: str, params: Params | None = None, *, chunk: int = 500) -> AsyncGenerator[Json, None]:
        """A collection in pages of `chunk` objects (0: in one), all of one snapshot, hence with one resourceVersion.

        Raises Gone when the pages are read so slowly that the server forgets the snapshot.
        """
        query = {**(params or {}), **({"limit": chunk} if chunk else {})}
        while True:
            page = await self.list(path, query)
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection at `path`. AlreadyExists may mean that an earlier attempt succeeded."""
        named = bool(body["metadata"].get("name"))
        return _parsed(await self.request("POST", path, body=orjson.dumps(body), idempotent=named, verb="create"))

    async def merge_patch(self, path: str, body: Json) -> Json:
        """Apply a JSON merge patch; with a `metadata.resourceVersion` in it, only to that version, else Conflict."""
        return _parsed(await self.request("PATCH", path, body=orjson.dumps(body), content_type=MERGE_PATCH))

    async def patch_status(self, path: str, body: Json) -> str:
        """Merge `body` (`{"metadata": …, "status": …}`) into the status of the object at `path`; the resourceVersion that it has then.

        The answer has no more than metadata in it where the server can leave out the rest, which is as large as the object.
        """
        data = orjson.dumps(body)
        answer = await self.request(
            "PATCH", f"{path}/status", body=data, content_type=MERGE_PATCH, headers=METADATA_ONLY
        )
        try:
            return msgspec.json.decode(answer, type=_Written).metadata.resource_version
        except msgspec.DecodeError as error:
            raise no_answer(error) from error

    async def delete(
        self,
        path: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_period: int | None = None,
        propagation: str | None = None,
    ) -> Json:
        """Delete the object at `path`; if it no longer has this `uid` and version, Conflict.

        `grace_period` is in seconds, `propagation` is Background, Foreground or Orphan; None leaves both to the server.
        """
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "preconditions": {name: value for name, value in preconditions.items() if value is not None} or None,
            "gracePeriodSeconds": grace_period,
            "propagationPolicy": propagation,
        }
        body = orjson.dumps({name: value for name, value in options.items() if value is not None})
        return _parsed(await self.request("DELETE", path, body=body))

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        idempotent: bool | None = None,
        verb: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The body of the answer to any request. All methods but POST count as `idempotent` unless told otherwise."""
        repeatable = method != "POST" if idempotent is None else idempotent
        return await self._transport.send(
            Request(method, path, verb or method.lower(), repeatable, params, body, content_type, headers)
        )

    async def read_log(
        self,
        namespace: str,
        pod: str,
        *,
        container: str | None = None,
        tail_lines: int | None = None,
        limit_bytes: int | None = None,
        previous: bool = False,
        timestamps: bool = False,
    ) -> bytes:
        """What a container has written so far: of the last `tail_lines`, the first `limit_bytes`."""
        params = log_params(container, tail_lines, limit_bytes, previous=previous, timestamps=timestamps)
        return await self.request("GET", PODS.path(namespace, pod, "log"), params=params)

    async def watch(
        self, path: str, params: Params | None = None, *, inactivity_timeout: float = 70.0
    ) -> AsyncGenerator[WatchEvent, None]:
        """The events of a collection, with bookmarks, until the server ends the stream.

        The server sends a bookmark every minute, so more than `inactivity_timeout` seconds without a byte mean that
        the connection is dead: Unavailable. An ERROR event is raised as the error in it. Use in `contextlib.aclosing`
        if you may leave early.
        """
        query = {**(params or {}), "watch": "true", "allowWatchBookmarks": "true"}
        splitter = LineSplitter()
        async with self._transport.stream("watch", path, query, inactivity_timeout) as content:
            async for piece in content.iter_any():
                for line in splitter.feed(piece):
                    yield watch_event(line)
        splitter.finish()

    async def upload(self, path: str, file: BinaryIO, params: Params | None, headers: Mapping[str, str]) -> Json:
        """PUT a file, which may be large, and is sent once."""
        return _parsed(await self._transport.upload(path, params, headers, file))

    async def stream(
        self, path: str, params: Params | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The body of a GET as it comes, for as long as it lasts: a followed log. Use in `contextlib.aclosing`."""
        async with self._transport.stream("get", path, params, None, headers) as content:
            async for piece in content.iter_any():
                yield piece


def log_params(
    container: str | None = None,
    tail_lines: int | None = None,
    limit_bytes: int | None = None,
    *,
    follow: bool = False,
    previous: bool = False,
    timestamps: bool = False,
) -> Params:
    """The query of a Pod's log, for `KubeClient.read_log`, and with `follow` for `KubeClient.stream`."""
    values = {"container": container, "tailLines": tail_lines, "limitBytes": limit_bytes}
    flags = {"follow": follow, "previous": previous, "timestamps": timestamps}
    given = {name: value for name, value in values.items() if value is not None}
    return given | {name: "true" for name, value in flags.items() if value}


def _parsed(body: bytes) -> Json:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise no_answer(error) from error
    if not isinstance(parsed, dict):
        raise Unavailable(0, "Garbage", f"not a JSON object: {body[:200]!r}")
    return parsed

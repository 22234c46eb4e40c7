"""The API for steps (contract, section 3). A step can name only what its own task declares; everything else follows
from its token.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web

from mlworkflow.core import collection, names
from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._auth import Authenticator
from mlworkflow.gateway._collections import Closures
from mlworkflow.gateway._deposits import Deposits, Plan, Wanted
from mlworkflow.gateway._json import CALLER, RIDER, answer, bearer, body
from mlworkflow.gateway._rates import Rates
from mlworkflow.gateway._results import check_result, check_stored
from mlworkflow.gateway.errors import Forbidden, Invalid, Unknown
from mlworkflow.gateway.runs import Batch, OutputSpec, Runs, Waiting
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import AttemptKey, cas_key

LOGS, CHECKPOINT = "logs", "checkpoint"
MEMBERS = 500
"""Members of a collection that can be asked for at once."""
_OWN = {LOGS: "file", CHECKPOINT: "directory"}
"""What every step may store beside its outputs, and as what."""
_LONGEST_WAIT = 60.0
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_Artifact = TypeVar("_Artifact", bound=ArtifactRef)
_log = logging.getLogger("mlworkflow.gateway")


class _Waiting(msgspec.Struct, frozen=True):
    waiting: Waiting | None


class _Members(msgspec.Struct, frozen=True):
    digests: Annotated[list[str], msgspec.Meta(max_length=MEMBERS)]


class _Left(msgspec.Struct, frozen=True):
    outputs: Annotated[dict[str, ArtifactRef], msgspec.Meta(max_length=64)]


class Steps:
    """The handlers; `routes` lists them."""

    def __init__(
        self,
        *,
        runs: Runs,
        store: ArtifactStore,
        authenticator: Authenticator,
        sign_expires: float,
        rates: Rates | None = None,
        is_here: Callable[[str], None] | None = None,
    ) -> None:
        """`is_here(uid)` raises for a workflow of which another operator has to be asked."""
        self._is_here = is_here
        self._runs = runs
        self._store = store
        self._authenticator = authenticator
        self._sign_expires = sign_expires
        self._rates = rates
        self._closures = Closures(store)
        self._deposits = Deposits(store, sign_expires)

    def routes(self) -> list[web.RouteDef]:
        """All routes of this API."""
        return [
            web.get("/v1/task", self.task),
            web.post("/v1/inputs/{name}", self.input),
            web.post("/v1/inputs/{name}/members", self.members),
            web.get("/v1/checkpoint", self.last_checkpoint, allow_head=False),
            web.post("/v1/checkpoint", self.checkpoint),
            web.post("/v1/outputs/{name}", self.output),
            web.post("/v1/outputs/{name}/parts", self.parts),
            web.post("/v1/outputs/{name}/parts/urls", self.part_urls),
            web.post("/v1/outputs/{name}/parts/complete", self.complete),
            web.post("/v1/metrics", self.metrics),
            web.post("/v1/waiting", self.waiting),
            web.get("/v1/ended", self.ended),
            web.post("/v1/commit", self.commit),
            web.post("/v1/logs", self.logs),
            web.post("/v1/left/{name}", self.left_place),
            web.post("/v1/left/{name}/parts", self.left_parts),
            web.post("/v1/left/{name}/parts/urls", self.left_part_urls),
            web.post("/v1/left/{name}/parts/complete", self.complete_left),
            web.post("/v1/left", self.left),
        ]

    async def task(self, request: web.Request) -> web.Response:
        """What to do."""
        return answer(self._runs.task(await self._attempt(request)))

    async def input(self, request: web.Request) -> web.Response:
        """A URL to read one declared input."""
        key = await self._attempt(request)
        artifact = self._runs.task(key).inputs.get(request.match_info["name"])
        if artifact is None:
            raise Unknown("the step has no input of this name")
        return answer({"url": await asyncio.to_thread(self._url, key.namespace, artifact.digest)})

    async def members(self, request: web.Request) -> web.Response:
        """URLs to read some members of an input that is a collection, by their digests."""
        key = await self._attempt(request)
        artifact = self._runs.task(key).inputs.get(request.match_info["name"])
        if artifact is None:
            raise Unknown("the step has no input of this name")
        digests = (await body(request, _Members)).digests
        if artifact.type != collection.TYPE:
            raise Forbidden(f"the input is a {artifact.type}, which has no members")
        if stranger := await self._closures.foreign(key.namespace, artifact, digests):
            raise Forbidden(f"the input has no member {stranger[:80]!r}")
        return answer({"urls": await asyncio.to_thread(self._urls, key.namespace, digests)})

    def _urls(self, namespace: str, digests: list[str]) -> dict[str, str]:
        return {digest: self._url(namespace, digest) for digest in digests}

    def _url(self, namespace: str, digest: str) -> str:
        return self._store.sign_get(cas_key(namespace, digest), self._sign_expires)

    async def last_checkpoint(self, request: web.Request) -> web.Response:
        """A URL to read what the attempt before left in its checkpoint folder."""
        key = await self._attempt(request)
        checkpoint = self._runs.task(key).checkpoint
        if checkpoint is None:
            raise Unknown("there is no checkpoint of an attempt before")
        return answer({"url": await asyncio.to_thread(self._url, key.namespace, checkpoint.digest)})

    async def checkpoint(self, request: web.Request) -> web.Response:
        """Notes a checkpoint for the next attempt, once its bytes are in the store."""
        key = await self._attempt(request)
        artifact = await body(request, ArtifactRef)
        if artifact.type != "directory":
            raise Invalid("a checkpoint is a directory")
        await check_stored(self._store, self._deposits, key, CHECKPOINT, artifact)
        await self._runs.checkpoint(key, artifact)
        _log.info("checkpoint saved namespace=%s uid=%s task=%s attempt=%d size=%d", *key, artifact.size)
        return answer({"saved": True})

    async def logs(self, request: web.Request) -> web.Response:
        """Notes the log of an attempt that may not commit any more: it has been stopped, or replaced."""
        key = await self._attempt(request)
        artifact = await body(request, ArtifactRef)
        if artifact.type != "file":
            raise Invalid("logs are a file")
        await check_stored(self._store, self._deposits, key, LOGS, artifact)
        await self._runs.log(key, artifact)
        return answer({"kept": True})

    async def left_place(self, request: web.Request) -> web.Response:
        """Permission to store an artifact of an attempt that may not commit any more, as `output` gives it to one that may."""
        return answer(await self._deposits.place(*await self._to_leave(request, ArtifactRef)))

    async def left_parts(self, request: web.Request) -> web.Response:
        """As `parts`."""
        return answer(await self._deposits.begin(*await self._to_leave(request, Plan)))

    async def left_part_urls(self, request: web.Request) -> web.Response:
        """As `part_urls`."""
        return answer(await self._deposits.urls(*await self._to_leave(request, Wanted)))

    async def complete_left(self, request: web.Request) -> web.Response:
        """As `complete`."""
        return answer(await self._deposits.complete(*await self._to_leave(request, Wanted)))

    async def left(self, request: web.Request) -> web.Response:
        """Notes what an attempt left that may not commit any more, to be looked at."""
        key = await self._attempt(request)
        outputs = (await body(request, _Left)).outputs
        _check_left(outputs)
        for name, artifact in outputs.items():
            await check_stored(self._store, self._deposits, key, name, artifact)
        await self._runs.leave(key, outputs)
        return answer({"kept": True})

    async def output(self, request: web.Request) -> web.Response:
        """Permission to store one declared output (or the logs), or the news that it is there already."""
        return answer(await self._deposits.place(*await self._to_store(request, ArtifactRef)))

    async def parts(self, request: web.Request) -> web.Response:
        """Begins to store such an artifact in parts, or goes on with it."""
        return answer(await self._deposits.begin(*await self._to_store(request, Plan)))

    async def part_urls(self, request: web.Request) -> web.Response:
        """Permission to send some of the parts."""
        return answer(await self._deposits.urls(*await self._to_store(request, Wanted)))

    async def complete(self, request: web.Request) -> web.Response:
        """Makes the artifact of its parts, once all of them have arrived."""
        return answer(await self._deposits.complete(*await self._to_store(request, Wanted)))

    async def _to_store(self, request: web.Request, kind: type[_Artifact]) -> tuple[AttemptKey, _Artifact]:
        key, name = await self._attempt(request), request.match_info["name"]
        # What an attempt that was told to end leaves last is kept: `checkpoint` and `logs` say of which.
        declared = {} if name in (LOGS, CHECKPOINT) else self._runs.task(key).outputs
        artifact = await body(request, kind)
        _check_declared(declared, name, artifact)
        return key, artifact

    async def _to_leave(self, request: web.Request, kind: type[_Artifact]) -> tuple[AttemptKey, _Artifact]:
        key, name = await self._attempt(request), request.match_info["name"]
        artifact = await body(request, kind)
        _check_left({name: artifact})
        return key, artifact

    async def metrics(self, request: web.Request) -> web.Response:
        """Takes metrics and says whether to stop."""
        key = await self._attempt(request)
        return answer(await self._runs.metrics(key, await body(request, Batch)))

    async def waiting(self, request: web.Request) -> web.Response:
        """Notes what the attempt waits for, to be shown."""
        key = await self._attempt(request)
        self._runs.waiting(key, (await body(request, _Waiting)).waiting)
        return answer({"noted": True})

    async def ended(self, request: web.Request) -> web.Response:
        """Waits for the user's container to end."""
        key = await self._attempt(request)
        wait = request.query.get("wait", "0")
        if not _NUMBER.fullmatch(wait):
            raise Invalid("wait is a number of seconds")
        ended = await self._runs.container_ended(key, min(float(wait), _LONGEST_WAIT))
        if ended is None:
            return answer({"ended": False})
        return answer({"ended": True, "exitCode": ended.exit_code, "reason": ended.reason})

    async def commit(self, request: web.Request) -> web.Response:
        """Takes the result, once every output that it names is in the store."""
        key = await self._attempt(request)
        task = self._runs.task(key)
        result = await body(request, Result)
        await check_result(self._store, self._deposits, key, task, result)
        await self._runs.commit(key, result)
        _log.info("committed namespace=%s uid=%s task=%s attempt=%d exit=%d reason=%s outputs=%d",
                  *key, result.exit_code, result.reason or "-", len(result.outputs))  # fmt: skip
        return answer({"committed": True})

    async def _attempt(self, request: web.Request) -> AttemptKey:
        caller = await self._authenticator.authenticate(bearer(request))
        CALLER.set(f"{caller.namespace}/{caller.pod or (caller.attempt and caller.attempt.task)}")
        if self._rates is not None:
            self._rates.take(caller.pod_uid)
        if rider := request.headers.get(RIDER):
            caller = msgspec.structs.replace(caller, rider=rider)
        key = caller.attempt or self._runs.attempt_of(caller)
        if key.namespace != caller.namespace:
            raise Forbidden("the step is of another namespace")
        if self._is_here is not None:
            self._is_here(key.uid)
        return key


def _check_left(outputs: Mapping[str, ArtifactRef]) -> None:
    """Raises `Invalid` for what no output of a step can be. What was declared is not known any more, and nothing depends on it."""
    for name, artifact in outputs.items():
        if not re.fullmatch(names.FIELD_NAME, name) or artifact.type not in ("file", "directory") or artifact.size < 0:
            raise Invalid(f"{name[:80]!r} is no artifact of a step")


def _check_declared(outputs: Mapping[str, OutputSpec], name: str, artifact: ArtifactRef) -> None:
    """Raises unless `artifact` may be stored as the output `name`."""
    if artifact.size < 0:
        raise Invalid("a size is not negative")
    if name in _OWN:
        if artifact.type != _OWN[name]:
            raise Invalid(f"{name}: not a {_OWN[name]}")
        return
    declared = outputs.get(name)
    if declared is None or not declared.is_artifact:
        raise Forbidden("the step declares no artifact of this name")
    if artifact.type != declared.type and (declared.type != "artifact" or artifact.type not in ("file", "directory")):
        raise Invalid(f"the output is declared as {declared.type}, not {artifact.type}")

"""The API for steps (contract, section 3). A step can name only what its own task declares; everything else follows
from its token.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import msgspec
from aiohttp import web

from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._auth import Authenticator
from mlworkflow.gateway._json import CALLER, answer, bearer, body
from mlworkflow.gateway._results import check_result
from mlworkflow.gateway.errors import Forbidden, Invalid, Unknown
from mlworkflow.gateway.runs import Point, Runs, Task
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import AttemptKey, cas_key

LOGS = "logs"
_LONGEST_WAIT = 60.0
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_log = logging.getLogger("mlworkflow.gateway")


class _Metrics(msgspec.Struct, frozen=True):
    metrics: list[Point]


class Steps:
    """The handlers; `routes` lists them."""

    def __init__(self, *, runs: Runs, store: ArtifactStore, authenticator: Authenticator, sign_expires: float) -> None:
        self._runs = runs
        self._store = store
        self._authenticator = authenticator
        self._sign_expires = sign_expires

    def routes(self) -> list[web.RouteDef]:
        """All routes of this API."""
        return [
            web.get("/v1/task", self.task),
            web.post("/v1/inputs/{name}", self.input),
            web.post("/v1/outputs/{name}", self.output),
            web.post("/v1/metrics", self.metrics),
            web.get("/v1/ended", self.ended),
            web.post("/v1/commit", self.commit),
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
        at = cas_key(key.namespace, artifact.digest)
        return answer({"url": await asyncio.to_thread(self._store.sign_get, at, self._sign_expires)})

    async def output(self, request: web.Request) -> web.Response:
        """Permission to store one declared output (or the logs), or the news that it is there already."""
        key = await self._attempt(request)
        task = self._runs.task(key)
        artifact = await body(request, ArtifactRef)
        _check_declared(task, request.match_info["name"], artifact)
        return answer(await asyncio.to_thread(self._place, cas_key(key.namespace, artifact.digest), artifact))

    def _place(self, at: str, artifact: ArtifactRef) -> dict[str, Any]:
        if self._store.stat(at) == artifact.size:
            return {"exists": True}
        signed = self._store.sign_put(at, artifact.digest, artifact.size, self._sign_expires)
        return {"url": signed.url, "headers": signed.headers}

    async def metrics(self, request: web.Request) -> web.Response:
        """Takes metrics and says whether to stop."""
        key = await self._attempt(request)
        return answer({"stop": self._runs.metrics(key, (await body(request, _Metrics)).metrics)})

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
        await check_result(self._store, key.namespace, task, result)
        await self._runs.commit(key, result)
        _log.info("committed namespace=%s uid=%s task=%s attempt=%d exit=%d reason=%s outputs=%d",
                  *key, result.exit_code, result.reason or "-", len(result.outputs))  # fmt: skip
        return answer({"committed": True})

    async def _attempt(self, request: web.Request) -> AttemptKey:
        caller = await self._authenticator.authenticate(bearer(request))
        key = caller.attempt or self._runs.attempt_of(caller)
        CALLER.set(f"{caller.namespace}/{caller.pod or key.task}")
        if key.namespace != caller.namespace:
            raise Forbidden("the step is of another namespace")
        return key


def _check_declared(task: Task, name: str, artifact: ArtifactRef) -> None:
    """Raises unless `artifact` may be stored as the output `name`."""
    if artifact.size < 0:
        raise Invalid("a size is not negative")
    if name == LOGS:
        if artifact.type != "file":
            raise Invalid("logs are a file")
        return
    declared = task.outputs.get(name)
    if declared is None or not declared.is_artifact:
        raise Forbidden("the step declares no artifact of this name")
    if artifact.type != declared.type and (declared.type != "artifact" or artifact.type not in ("file", "directory")):
        raise Invalid(f"the output is declared as {declared.type}, not {artifact.type}")

"""The API for people's models by name (contract, section 5): which there are, and moving an alias."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from mlworkflow.gateway._auth import Readers
from mlworkflow.gateway._json import CALLER, answer, body
from mlworkflow.gateway._people import namespace_of
from mlworkflow.gateway.errors import Invalid, Overtaken, Unknown
from mlworkflow.store import models
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.model_requests import Request, carry_out

_log = logging.getLogger("mlworkflow.gateway")


class Models:
    """The handlers; `routes` lists them."""

    def __init__(self, store: ArtifactStore, readers: Readers) -> None:
        self._store = store
        self._readers = readers

    def routes(self) -> list[web.RouteDef]:
        """All routes of this API."""
        return [
            web.get("/v1/read/{namespace}/models", self.all),
            web.get("/v1/read/{namespace}/models/{name}", self.one),
            web.put("/v1/write/{namespace}/models/{name}", self.move),
        ]

    async def all(self, request: web.Request) -> web.Response:
        """Every model, with its versions and moves."""
        namespace = await namespace_of(request, self._readers.reader)
        return answer({"models": await asyncio.to_thread(models.every, self._store, namespace)})

    async def one(self, request: web.Request) -> web.Response:
        """A model, with its versions and moves."""
        namespace, name = await namespace_of(request, self._readers.reader), request.match_info["name"]
        found = await asyncio.to_thread(models.read, self._store, namespace, name)
        if not found.moves:
            raise Unknown("there is no such model")
        return answer(found)

    async def move(self, request: web.Request) -> web.Response:
        """Moves an alias."""
        namespace, name = await namespace_of(request, self._readers.writer), request.match_info["name"]
        asked = await body(request, Request)
        try:
            made = await asyncio.to_thread(carry_out, self._store, namespace, name, asked)
        except models.NoModel as missing:
            raise Invalid(str(missing)) from None
        except models.AliasMoved as moved:
            raise Overtaken(str(moved)) from None
        _log.info("model namespace=%s name=%s alias=%s version=%d by=%s caller=%s", namespace, name, made.alias, made.version, asked.by, CALLER.get())  # fmt: skip
        return answer(made)

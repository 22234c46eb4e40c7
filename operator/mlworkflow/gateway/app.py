"""The gateway as an aiohttp application: which routes there are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from mlworkflow.gateway._auth import Authenticator, Readers
from mlworkflow.gateway._blobs import Blobs
from mlworkflow.gateway._datasets import Datasets
from mlworkflow.gateway._forwarding import Forwarding
from mlworkflow.gateway._json import BODY_SECONDS, BODY_TIME, MAX_BODY, RefusalsOfHttp, answer, errors_as_answers
from mlworkflow.gateway._models import Models
from mlworkflow.gateway._people import Garbage, People, Purge
from mlworkflow.gateway._rates import Rates
from mlworkflow.gateway._steps import Steps
from mlworkflow.gateway.runs import Runs
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.signing import BlobSigner


def make_app(
    *,
    runs: Runs,
    store: ArtifactStore,
    authenticator: Authenticator,
    readers: Readers | None = None,
    garbage: Garbage | None = None,
    purge: Purge | None = None,
    blobs: BlobSigner | None = None,
    sign_expires: float = 900.0,
    public_keys: Callable[[], str] = lambda: "",
    body_seconds: float = BODY_SECONDS,
    rates: Rates | None = None,
    outside: Sequence[Middleware] = (),
    forwarding: Forwarding | None = None,
) -> web.Application:
    """An application to serve with `make_runner`.

    `authenticator` knows steps (`PodTokens` or `LocalTokens`); `readers` knows people and turns the API for people
    on, who get `public_keys` (PEM) to verify statements with, and what `garbage` says of a namespace, and have `purge`
    remove what is kept of a run; `blobs` turns the blob API on, for a
    `DirectoryStore` that was made with the same signer; `rates` bounds the calls of each Pod, where callers are Pods. `outside` are
    middlewares that see every answer, refusals too; `forwarding` passes on what steps ask of workflows of other operators.
    """
    passing_on = [forwarding.middleware] if forwarding else []
    app = web.Application(middlewares=[*outside, errors_as_answers, *passing_on], client_max_size=MAX_BODY)
    app[BODY_TIME] = body_seconds
    is_here = forwarding.check if forwarding else None
    steps = Steps(
        runs=runs, store=store, authenticator=authenticator, sign_expires=sign_expires, rates=rates, is_here=is_here
    )
    app.add_routes(steps.routes())
    if readers is not None:
        app.add_routes(People(store, readers, public_keys, garbage, purge, lambda key: runs.series(key)).routes())
        app.add_routes(Datasets(store, readers).routes())
        app.add_routes(Models(store, readers).routes())
    if blobs is not None:
        if not isinstance(store, DirectoryStore):
            raise TypeError("only a DirectoryStore has its blobs served by the gateway")
        app.add_routes(Blobs(store, blobs).routes())
    app.add_routes([web.get("/healthz", _healthy)])
    return app


IDLE = 120.0
"""Seconds that a connection may say nothing, before its first request too. The API server lets go of its own after 90: who is the first to close never meets
a request on its way."""


def make_runner(app: web.Application, *, shutdown_timeout: float = 5.0, idle: float = IDLE) -> web.AppRunner:
    """A runner without an access log, which would show the grants of signed URLs."""
    log = RefusalsOfHttp(logging.getLogger("aiohttp.server"))
    return web.AppRunner(
        app,
        access_log=None,
        logger=log,
        lingering_time=2.0,
        shutdown_timeout=shutdown_timeout,
        keepalive_timeout=idle,
    )


async def _healthy(_: web.Request) -> web.Response:
    return answer({"ok": True})

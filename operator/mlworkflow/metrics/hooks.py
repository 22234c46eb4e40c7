"""Functions that the operator's parts are given, each of which counts what passes through it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from mlworkflow.core.decide import Decision
from mlworkflow.core.memory import Memory
from mlworkflow.core.observation import Observations
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Run
from mlworkflow.kube.errors import ApiError
from mlworkflow.kube.transport import RequestKey
from mlworkflow.metrics import definitions as d
from mlworkflow.metrics.meter import Meter

K = TypeVar("K")
Decide = Callable[[Plan, Run, Observations, float, Memory], Decision]
Reconcile = Callable[[K], Awaitable[float | None]]


def decided(meter: Meter, decide: Decide) -> Decide:
    """`decide`, timed."""

    def timed(plan: Plan, run: Run, seen: Observations, now: float, memory: Memory) -> Decision:
        began = time.perf_counter()
        decision = decide(plan, run, seen, now, memory)
        meter.observe(d.DECIDE, time.perf_counter() - began)
        return decision

    return timed


def reconciled(meter: Meter, queue: str, reconcile: Reconcile[K]) -> Reconcile[K]:
    """The work of a worker, timed."""
    for known in ("ok", "api", "bug"):
        meter.expect(d.RECONCILE, queue, known)

    async def timed(key: K) -> float | None:
        began, outcome = time.perf_counter(), "bug"
        try:
            due = await reconcile(key)
            outcome = "ok"
        except ApiError:
            outcome = "api"
            raise
        finally:
            meter.observe(d.RECONCILE, time.perf_counter() - began, queue, outcome)
        return due

    return timed


def waited(meter: Meter, queue: str) -> Callable[[float], None]:
    """For `WorkQueue`."""
    return lambda seconds: meter.observe(d.QUEUE_WAIT, seconds, queue)


def answered(meter: Meter) -> Callable[[RequestKey, float, int], None]:
    """For `KubeClient`."""

    def note(key: RequestKey, seconds: float, sent: int) -> None:
        meter.observe(d.API_DURATION, seconds, key.verb, key.resource)
        if key.resource == "mlworkflows/status" and sent:
            meter.observe(d.STATUS_BYTES, sent)

    return note


class Requests:
    """A middleware for the gateway, outside of what makes errors into answers."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.in_flight = 0

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
            began, code = time.perf_counter(), 499  # the handler is cancelled: we end
            self.in_flight += 1
            try:
                response = await handler(request)
                code = response.status
            finally:
                self.in_flight -= 1
                resource = request.match_info.route.resource
                route = resource.canonical if resource else "-"
                method = request.method if route != "-" else "-"
                self._meter.add(d.GATEWAY_REQUESTS, method, route, str(code))
                self._meter.observe(d.GATEWAY_DURATION, time.perf_counter() - began, route)
            return response

        return measured

"""Sends spans by OTLP over HTTP, where OpenTelemetry's own variables say so: in the background, never at a workflow's cost.

OpenTelemetry is imported only then; it is an extra (`mlworkflow[otel]`). What its exporter cannot deliver it drops, with a line in the log.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Self

from mlworkflow.core.state import Phase
from mlworkflow.engine.spans import Span, ended
from mlworkflow.engine.telling import Turned

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_log = logging.getLogger(__name__)
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
ROOM = 20_000
SOON = 2000
"""Milliseconds that a span waits for others at most: what a killed operator can lose."""


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's own variables ask for traces, and it is installed; where it is not, the log says so."""
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    if is_off or not any(environ.get(name) for name in ENDPOINTS):
        return False
    if not _is_installed():
        _log.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set, and no trace is sent: pip install 'mlworkflow[otel]'")
        return False
    return True


def _is_installed() -> bool:
    """Without importing it."""
    try:
        return all(find_spec(module) for module in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"))
    except ModuleNotFoundError:  # of what the module is part of
        return False


class TraceSender:
    """`clock` is the engine's; `has_pods` says that the handles of attempts are names of Pods. Close it in the end."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float], *, has_pods: bool) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        self._clock, self._has_pods = clock, has_pods
        is_named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        name = {} if is_named else {"service.name": "mlworkflow"}
        self._resource = Resource.create({**name, "service.version": version("mlworkflow")})
        self._scope = InstrumentationScope("mlworkflow", version("mlworkflow"))
        self._exporter = OTLPSpanExporter()
        self._processor = BatchSpanProcessor(self._exporter, max_queue_size=ROOM, schedule_delay_millis=SOON)
        self._began: dict[
            str, dict[str, float]
        ] = {}  # uid → task → when its current attempt began that is not its first

    @classmethod
    def find(cls, environ: Mapping[str, str], clock: Callable[[], float], *, has_pods: bool) -> Self | None:
        """None where nobody wants traces."""
        return cls(environ, clock, has_pods=has_pods) if is_wanted(environ) else None

    def tell(self, turned: Turned) -> None:
        """A turn has changed a run. Returns at once."""
        uid, now = turned.plan.workflow.uid, self._clock()
        began = self._began.setdefault(uid, {})
        for span in ended(turned, began, now, has_pods=self._has_pods):
            self._processor.on_end(self._made(span))
        for name, old, task in turned.tasks():
            if task.phase is Phase.RUNNING and task.attempt > 0 and (task.attempt != old.attempt or old.is_finished):
                began[name] = now
        if turned.after.phase.is_finished:
            del self._began[uid]

    async def close(self, patience: float) -> None:
        """Send what is left, for at most so many seconds."""
        await _within(patience, self._processor.force_flush)
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # else it would go on trying
        await _within(1.0, self._processor.shutdown)

    def _made(self, span: Span) -> ReadableSpan:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        def context(id_: str) -> SpanContext:
            return SpanContext(int(span.trace, 16), int(id_, 16), False, TraceFlags(TraceFlags.SAMPLED))

        return ReadableSpan(
            name=span.name,
            context=context(span.id),
            parent=context(span.parent) if span.parent else None,
            resource=self._resource,
            attributes=span.attributes,
            kind=SpanKind.INTERNAL if span.parent else SpanKind.SERVER,
            instrumentation_scope=self._scope,
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.OK),
            start_time=int(span.started * 1e9),
            end_time=int(span.ended * 1e9),
        )


async def _within(seconds: float, call: Callable[[], object]) -> None:
    """Wait for a call no longer than that; it may go on, and keeps no process from ending."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    await asyncio.to_thread(thread.join, seconds)

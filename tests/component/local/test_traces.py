"""A trace of a local run, by OTLP over real HTTP to a receiver that decodes it as every collector does."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from mlworkflow.core import tracing
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.component.cli.conftest import Shell
from tests.component.servers import free_port

TELLS = {"command": ["sh", "-ec", 'mkdir -p "$MLWF_OUT/params" && printf %s "$TRACEPARENT" > "$MLWF_OUT/params/at"']}
FAILS_ONCE = {"command": ["sh", "-ec", 'test "$MLWF_ATTEMPT" = 1']}


class Receiver:
    """A collector's receiver: what it had, by name and in order, and the resource that it was of."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, Any] = {}
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Receiver]:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/v1/traces", self._take)
        server = TestServer(app)
        await server.start_server(shutdown_timeout=0)
        self.url = str(server.make_url("")).rstrip("/")
        try:
            yield self
        finally:
            await server.close()

    async def _take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        body = await request.read()
        told = ExportTraceServiceRequest.FromString(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        for of in told.resource_spans:
            self.resource = attributes(of.resource)
            for scope in of.scope_spans:
                self.spans += scope.spans
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> list[Span]:
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.start_time_unix_nano)


def attributes(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


async def test_a_run_is_a_trace_with_a_span_for_each_attempt(tmp_path: Path) -> None:
    async with Receiver().open() as receiver:
        shell = Shell(tmp_path, {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
        inner = [{"name": "in", "container": TELLS, "outputs": {"at": {"type": "string"}}}]
        steps = [
            {"name": "tells", "container": TELLS, "outputs": {"at": {"type": "string"}}},
            {"name": "again", "container": FAILS_ONCE, "retry": {"limit": 1, "backoff": "200ms"}},
            {"name": "group", "steps": inner},
            {"name": "skipped", "container": TELLS, "when": "${{ false }}", "outputs": {"at": {"type": "string"}}},
        ]
        file = shell.write("w", steps)
        await asyncio.to_thread(shell, "run", file, "-q")
        run = await asyncio.to_thread(shell.json, "get", "w")
    uid = run["metadata"]["uid"]
    assert {span.trace_id.hex() for span in receiver.spans} == {tracing.trace_id(uid)}
    assert sorted(span.name for span in receiver.spans) == ["RUN w", "again", "again", "group", "group.in", "tells"]
    (root,), (tells,), (group,), (inside,) = map(receiver.named, ("RUN w", "tells", "group", "group.in"))
    assert (root.span_id.hex(), root.parent_span_id) == (tracing.root_id(uid), b"")
    assert tells.parent_span_id == group.parent_span_id == root.span_id
    assert inside.parent_span_id == group.span_id
    told = next(step for step in run["status"]["steps"] if step["name"] == "tells")["outputs"]["at"]
    assert told == f"00-{tells.trace_id.hex()}-{tells.span_id.hex()}-01", "what a step makes is below its own span"
    first, second = receiver.named("again")
    assert (first.status.code, second.status.code) == (Status.STATUS_CODE_ERROR, Status.STATUS_CODE_OK)
    assert attributes(first)["error.type"] == "Error"
    assert [attributes(span)["mlworkflow.attempt"] for span in (first, second)] == [0, 1]
    assert first.end_time_unix_nano <= second.start_time_unix_nano
    for span in receiver.spans:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
    assert receiver.resource["service.name"] == "mlworkflow"
    known = attributes(root)
    assert (known["cicd.pipeline.name"], known["cicd.pipeline.run.id"], known["cicd.pipeline.result"]) == (
        "w",
        uid,
        "success",
    )
    assert "k8s.pod.name" not in attributes(tells), "a local run has none"


async def test_a_receiver_that_is_away_costs_nothing_but_its_trace(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
    file = shell.write("w", [{"name": "a", "container": {"command": ["true"]}}])
    await asyncio.to_thread(shell, "run", file, "-q")
    assert (await asyncio.to_thread(shell.json, "get", "w"))["status"]["phase"] == "Succeeded"

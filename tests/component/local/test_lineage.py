"""OpenLineage events over real HTTP: in order, tried again, bounded, and never at a run's cost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mlworkflow.core.errors import UsageError
from mlworkflow.core.state import Phase, Run, Task
from mlworkflow.engine.lineage_sender import Endpoint, LineageSender
from mlworkflow.engine.telling import Turned

from tests.builders import a_workflow
from tests.component.cli.conftest import Shell
from tests.component.kube.fake_api import until

SCRIPT = {"command": ["sh", "-ec", 'echo hi > "$MLWF_OUT/x"']}
PLAN = a_workflow().step("a").plan()
BEGUN = Run(phase=Phase.RUNNING, started_at=1.0)


class Receiver:
    """Answers with the given codes, then 201."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.had: list[tuple[str, dict[str, str], Any]] = []
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Receiver]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        server = TestServer(app)
        await server.start_server(shutdown_timeout=0)
        self.url = str(server.make_url("/"))
        try:
            yield self
        finally:
            await server.close()

    async def _answer(self, request: web.Request) -> web.Response:
        self.had.append((request.path, dict(request.headers), await request.json()))
        return web.Response(status=self.codes.pop(0) if self.codes else 201)

    @property
    def brief(self) -> list[str]:
        return [f"{event['eventType']} {event['job']['name']}" for _, _, event in self.had]


def a_shell(folder: Path, url: str, **environ: str) -> Shell:
    return Shell(folder, {"OPENLINEAGE_URL": url, **environ})


async def test_a_local_run_is_told_before_it_is_over(tmp_path: Path) -> None:
    async with Receiver(503).open() as receiver:
        shell = a_shell(tmp_path, receiver.url, OPENLINEAGE_API_KEY="the key", OPENLINEAGE_NAMESPACE="here")
        file = shell.write("w", [{"name": "a", "container": SCRIPT, "outputs": {"x": {}}}])
        await asyncio.to_thread(shell, "run", file, "-q")
        status = (await asyncio.to_thread(shell.json, "get", "w"))["status"]
    assert receiver.brief == ["START w", "START w", "START w.a", "COMPLETE w.a", "COMPLETE w"], "the first not at once"
    assert {path for path, _, _ in receiver.had} == {"/api/v1/lineage"}
    assert {headers["Authorization"] for _, headers, _ in receiver.had} == {"Bearer the key"}
    ended = receiver.had[3][2]
    assert ended["job"]["namespace"] == "here"
    assert ended["outputs"][0]["facets"]["version"]["datasetVersion"] == status["steps"][0]["artifacts"]["x"]["digest"]


async def test_an_endpoint_that_refuses_fails_nothing(tmp_path: Path) -> None:
    async with Receiver(*[403] * 10).open() as receiver:
        shell = a_shell(tmp_path, f"{receiver.url}secret-path/?token=t", OPENLINEAGE_API_KEY="the key")
        file = shell.write("w", [{"name": "a", "container": SCRIPT}])
        _, err = await asyncio.to_thread(shell.both, "run", file, "-q")
        assert len(receiver.had) == 4, "what is refused is not tried again"
    assert "secret-path" not in err
    assert "the key" not in err


async def test_a_url_that_is_none_is_a_wrong_call(tmp_path: Path) -> None:
    shell = a_shell(tmp_path, "marquez:5000")
    file = shell.write("w", [{"name": "a", "container": SCRIPT}])
    said = await asyncio.to_thread(shell, "run", file, code=2)
    assert "the URL for OpenLineage must begin with http:// or https://" in said


@pytest.mark.parametrize(
    ("given", "path", "url"),
    [
        ("http://h:5000", "", "http://h:5000/api/v1/lineage"),
        ("http://h/prefix", "", "http://h/prefix/api/v1/lineage"),
        ("https://h/", "/openapi/openlineage", "https://h/openapi/openlineage"),
    ],
)
def test_where_events_go(given: str, path: str, url: str) -> None:
    assert str(Endpoint.of(given, path).url) == url
    assert Endpoint.find({"OPENLINEAGE_URL": given, "OPENLINEAGE_DISABLED": "true"}) is None
    assert Endpoint.find({}) is None
    with pytest.raises(UsageError):
        Endpoint.of("h:5000")


@asynccontextmanager
async def sending(receiver: Receiver, pauses: list[float], room: int = 100) -> AsyncIterator[LineageSender]:
    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    sender = LineageSender(Endpoint.of(receiver.url), lambda: 5.0, room=room, sleep=pause)
    try:
        yield sender
    finally:
        await sender.close()


async def test_what_is_not_taken_after_a_few_tries_is_dropped_and_the_next_is_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pauses: list[float] = []
    async with Receiver(*[503] * 5).open() as receiver, sending(receiver, pauses) as sender:
        sender.tell(Turned.between(PLAN, Run(), BEGUN))
        sender.tell(Turned.between(PLAN, BEGUN, Run(phase=Phase.SUCCEEDED, started_at=1.0, finished_at=2.0)))
        await until(lambda: len(receiver.had) == 6)
    assert receiver.brief == ["START w"] * 5 + ["COMPLETE w"]
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert "START of w is dropped: 127.0.0.1: answered 503" in caplog.text


async def test_what_waits_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with Receiver().open() as receiver, sending(receiver, [], room=3) as sender:
        tasks = {f"a/{n}": Task(phase=Phase.RUNNING, attempt=0, started_at=1.0) for n in range(10)}
        sender.tell(Turned.between(PLAN, BEGUN, Run(phase=Phase.RUNNING, started_at=1.0, tasks=tasks)))
        await until(lambda: len(receiver.had) == 3)
        await until(lambda: "7 events were dropped" in caplog.text)
        sender.tell(Turned.between(PLAN, Run(), BEGUN))
        await until(lambda: len(receiver.had) == 4)


async def test_an_endpoint_that_is_away_holds_nothing_up() -> None:
    sender = LineageSender(Endpoint.of("http://127.0.0.1:9"), lambda: 5.0)
    sender.tell(Turned.between(PLAN, Run(), BEGUN))
    async with asyncio.timeout(1.0):
        await sender.close(patience=0.1)


async def test_the_key_is_read_for_every_event(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("one\n")
    async with Receiver().open() as receiver:
        sender = LineageSender(Endpoint.of(receiver.url, key_file=tmp_path / "key"), lambda: 5.0)
        sender.tell(Turned.between(PLAN, Run(), BEGUN))
        await until(lambda: len(receiver.had) == 1)
        (tmp_path / "key").write_text("two\n")
        sender.tell(Turned.between(PLAN, Run(), BEGUN))
        await until(lambda: len(receiver.had) == 2)
        await sender.close()
    assert [headers["Authorization"] for _, headers, _ in receiver.had] == ["Bearer one", "Bearer two"]

"""Webhooks over real HTTP: delivered at least once, tried again, given up, across restarts; and whom the operator does not call."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mlworkflow.engine import webhooks

from tests.builders import WorkflowBuilder, a_workflow
from tests.component.kube.fake_api import until

from .cluster import ApiServer, given, operating, pod_of, refused

BODY = {"image": "i", "command": ["c"], "agent": True}
SECRET = "Bearer do-not-tell"


class Receiver:
    """Answers with the given codes, then 204; keeps what it was sent. `gate` holds its answers back."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.had: list[tuple[dict[str, str], bytes]] = []
        self.gate: asyncio.Event | None = None
        self.url = ""

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.had]

    async def answer(self, request: web.Request) -> web.Response:
        self.had.append((dict(request.headers), await request.read()))
        if self.gate:
            await self.gate.wait()
        code = self.codes.pop(0) if self.codes else 204
        return web.Response(status=code, headers={"Location": "/elsewhere"} if code == 302 else {})

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Receiver]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.answer)
        server = TestServer(app)
        await server.start_server(shutdown_timeout=0)
        self.url = str(server.make_url("/hook/token-in-the-path"))
        try:
            yield self
        finally:
            await server.close()


def a_step(receiver: Receiver, **fields: Any) -> WorkflowBuilder:
    hook = {"url": receiver.url, "headers": {"Authorization": SECRET}}
    return a_workflow().kind("a", "container", BODY, onSuccess=hook, onFailure=hook, **fields)


def note(api: ApiServer, step: int = 0) -> str:
    return str(api.status().get("steps", [{}])[step].get("webhook", ""))


async def test_the_end_of_a_step_is_told_signed_and_noted(tmp_path: Path) -> None:
    async with Receiver().open() as receiver:
        api = given(a_step(receiver))
        async with operating(api, tmp_path) as operator:
            await operator.work(pod_of(api, "a"))
            await until(lambda: note(api) == "Delivered")
            await operator.settled()
            assert operator.engine.live == {}, "nothing is owed any more"
            assert operator.webhooks.is_busy("uid-1") is False
        ((headers, body),) = receiver.had
        assert headers["Authorization"] == SECRET
        key = hmac.new(b"the master key", b"default", hashlib.sha256).digest()
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}".encode()
        expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        said = json.loads(body)
        assert (said["type"], said["step"], said["attempt"], said["phase"]) == ("step.succeeded", "a", 0, "Succeeded")


async def test_a_failure_is_told_when_it_is_final_and_not_before(tmp_path: Path) -> None:
    async with Receiver().open() as receiver:
        api = given(a_step(receiver, retry={"limit": 1, "backoff": "10ms", "cap": "10ms"}))
        async with operating(api, tmp_path) as operator:
            first = pod_of(api, "a")
            await operator.commit(first, exit_code=3)
            await until(lambda: len(api.pods) == 2)
            await operator.settled()
            assert receiver.had == []
            (second,) = set(api.pods) - {first}
            await operator.commit(second, exit_code=3)
            await until(lambda: note(api) == "Delivered")
        assert [(said["type"], said["attempt"]) for said in receiver.bodies] == [("step.failed", 1)]


async def test_a_receiver_in_trouble_is_called_again_with_the_same_id(tmp_path: Path) -> None:
    async with Receiver(503, 429).open() as receiver:
        api = given(a_step(receiver))
        async with operating(api, tmp_path) as operator:
            await operator.work(pod_of(api, "a"))
            await until(lambda: note(api) == "Delivered")
        assert len({headers["webhook-id"] for headers, _ in receiver.had}) == 1
        assert len(receiver.had) == 3
        assert len({body for _, body in receiver.had}) == 1


@pytest.mark.parametrize(("code", "said"), [(404, "answered 404"), (302, "a redirect is not followed")])
async def test_what_is_final_is_given_up_and_said(tmp_path: Path, code: int, said: str) -> None:
    async with Receiver(code).open() as receiver:
        api = given(a_step(receiver))
        async with operating(api, tmp_path) as operator:
            await operator.work(pod_of(api, "a"))
            await until(lambda: note(api).startswith("GivenUp: "))
            await operator.settled()
            assert said in note(api)
            assert operator.engine.live == {}
            assert api.status()["phase"] == "Succeeded", "a step's success does not hang on who hears of it"
        assert len(receiver.had) == 1


async def test_a_finished_workflow_is_worked_on_until_its_webhooks_are_told(tmp_path: Path) -> None:
    """And by the next operator, if this one dies over it."""
    async with Receiver().open() as receiver:
        receiver.gate = asyncio.Event()
        api = given(a_step(receiver))
        async with operating(api, tmp_path) as operator:
            await operator.work(pod_of(api, "a"))
            await until(lambda: len(receiver.had) == 1)
            assert (api.status()["phase"], note(api)) == ("Succeeded", "")
            assert list(operator.engine.live) == ["uid-1"]
        receiver.gate.set()
        async with operating(api, tmp_path) as operator:
            await until(lambda: note(api) == "Delivered")
            await operator.settled()
            assert operator.engine.live == {}
        async with operating(api, tmp_path):
            pass
        assert len({headers["webhook-id"] for headers, _ in receiver.had}) == 1
        assert len(receiver.had) == 2


async def test_nothing_is_told_before_it_is_written_down(tmp_path: Path) -> None:
    async with Receiver().open() as receiver:
        api = given(a_step(receiver))
        async with operating(api, tmp_path) as operator:
            api.on("patch mlworkflows/status", *[refused(503, "ServiceUnavailable")] * 2)
            await operator.commit(pod_of(api, "a"))
            await until(lambda: note(api) == "Delivered")
        assert len(receiver.had) == 1


async def test_a_workflow_that_is_deleted_calls_nobody_any_more(tmp_path: Path) -> None:
    async with Receiver(*[503] * 50).open() as receiver:
        api = given(a_step(receiver))
        async with operating(api, tmp_path) as operator:
            await operator.work(pod_of(api, "a"))
            await until(lambda: len(receiver.had) == 1)
            api.remove("mlworkflows", "w")
            await operator.settled()
            assert operator.webhooks.is_busy("uid-1") is False


async def test_a_ttl_waits_for_what_is_owed(tmp_path: Path) -> None:
    async with Receiver().open() as receiver:
        receiver.gate = asyncio.Event()
        api = given(a_step(receiver).having(ttl="0s"))
        async with operating(api, tmp_path) as operator:
            await operator.work(pod_of(api, "a"))
            await until(lambda: len(receiver.had) == 1)
            await operator.settled()
            assert api.calls["delete mlworkflows"] == 0
            receiver.gate.set()
            await until(lambda: not api.objects["mlworkflows"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0.0.0.0"])
async def test_the_operator_does_not_call_itself(tmp_path: Path, host: str) -> None:
    async with Receiver().open() as receiver:
        url = receiver.url.replace("127.0.0.1", host)
        api = given(a_workflow().kind("a", "container", BODY, onSuccess={"url": url}))
        async with operating(api, tmp_path, hosts=frozenset()) as operator:
            await operator.work(pod_of(api, "a"))
            await until(lambda: note(api).startswith("GivenUp: "))
            assert "loopback or link-local" in note(api) or "is not valid" in note(api), "aiohttp knows no bare numbers"
        assert receiver.had == []


async def test_a_host_that_the_settings_allow_is_called(tmp_path: Path) -> None:
    async with Receiver().open() as receiver:
        url = receiver.url.replace("127.0.0.1", "LocalHost")
        api = given(a_workflow().kind("a", "container", BODY, onSuccess={"url": url}))
        async with operating(api, tmp_path, hosts=frozenset({"localhost"})) as operator:
            await operator.work(pod_of(api, "a"))
            await until(lambda: note(api) == "Delivered")


async def test_without_a_key_nothing_is_sent(tmp_path: Path) -> None:
    async with Receiver().open() as receiver:
        api = given(a_step(receiver))
        async with operating(api, tmp_path) as operator:
            (tmp_path / "webhook.key").unlink()
            await operator.work(pod_of(api, "a"))
            await until(lambda: note(api) == "GivenUp: there is no key to sign with")
        assert receiver.had == []


async def test_no_log_and_no_status_tells_a_header_a_key_or_a_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Receiver(503, 404).open() as receiver:
        api = given(a_step(receiver))
        async with operating(api, tmp_path) as operator:
            await operator.work(pod_of(api, "a"))
            await until(lambda: note(api).startswith("GivenUp: "))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("mlworkflow")]
    assert any("webhook=msg_" in line for line in ours)
    for text in (*ours, json.dumps(api.status())):
        assert "do-not-tell" not in text
        assert "token-in-the-path" not in text
        assert "the master key" not in text


async def test_a_receiver_that_is_not_there_is_given_up_in_the_end(tmp_path: Path) -> None:
    async with Receiver().open() as receiver:
        api = given(a_step(receiver))
    later = 0.0
    async with operating(api, tmp_path, lambda: time.time() + later) as operator:
        await operator.commit(pod_of(api, "a"))
        await until(lambda: operator.webhooks.is_busy("uid-1"))
        await operator.settled()
        assert note(api) == "", "it may come yet"
        later = webhooks.PATIENCE
        await until(lambda: note(api).startswith("GivenUp: no answer (Client"))

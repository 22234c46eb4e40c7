"""A local run tells the ends of its steps like an operator: the same module, a key of its own, and loopback is no secret here."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from mlworkflow.local.home import Home
from mlworkflow.local.runner import LocalRunner

from tests.builders import a_workflow


@asynccontextmanager
async def receiving(*codes: int) -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    had: list[tuple[dict[str, str], bytes]] = []
    left = list(codes)

    async def answer(request: web.Request) -> web.Response:
        had.append((dict(request.headers), await request.read()))
        return web.Response(status=left.pop(0) if left else 204)

    app = web.Application()
    app.router.add_post("/", answer)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0)
    try:
        yield str(server.make_url("/")), had
    finally:
        await server.close()


def steps_of(run: Any) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in run.resource["status"]["steps"]}


async def test_the_ends_of_steps_are_told_before_the_run_is_over(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with receiving(503) as (url, had):
        fails = {"command": ["sh", "-c", "exit 3"]}
        works = {"command": ["sh", "-c", 'mkdir -p "$MLWF_OUT/params"; echo 7 > "$MLWF_OUT/params/n"']}
        builder = a_workflow().kind("good", "container", works, onSuccess={"url": url}, onFailure={"url": url})
        builder = builder.kind("bad", "container", fails, onFailure={"url": url})
        run = await LocalRunner(home, builder.resource(), lambda run: None).execute()
    assert {name: step["webhook"] for name, step in steps_of(run).items()} == {"good": "Delivered", "bad": "Delivered"}
    kept = home.run("w")
    assert kept is not None
    assert steps_of(kept) == steps_of(run), "and written down"
    told = {json.loads(body)["step"]: json.loads(body) for _, body in had}
    assert (told["good"]["type"], told["good"]["outputs"]) == ("step.succeeded", {"n": 7})
    assert (told["bad"]["type"], told["bad"]["reason"]) == ("step.failed", "Error")
    assert len(had) == 3, "one was told twice, for it was not heard the first time"
    key = hmac.new((tmp_path / "webhook.key").read_bytes(), b"local", hashlib.sha256).digest()
    for headers, body in had:
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"


async def test_a_person_need_not_wait_for_a_receiver_that_is_away(tmp_path: Path) -> None:
    async with receiving(*[503] * 100) as (url, had):
        builder = a_workflow().kind("a", "container", {"command": ["true"]}, onSuccess={"url": url})
        runner = LocalRunner(Home(tmp_path), builder.resource(), lambda run: None)
        running = asyncio.create_task(runner.execute())
        async with asyncio.timeout(30):
            while not had:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            runner.cancel()
            run = await running
    assert run.resource["status"]["phase"] == "Succeeded"
    assert "webhook" not in steps_of(run)["a"]


async def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = Home(tmp_path / "home").webhook_key()
    first = path.read_bytes()
    assert len(first) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Home(tmp_path / "home").webhook_key().read_bytes() == first
    assert [entry.name for entry in path.parent.iterdir()] == ["webhook.key"]


async def test_a_run_without_webhooks_makes_no_key(tmp_path: Path) -> None:
    builder = a_workflow().kind("a", "container", {"command": ["true"]})
    await LocalRunner(Home(tmp_path), builder.resource(), lambda run: None).execute()
    assert not (tmp_path / "webhook.key").exists()

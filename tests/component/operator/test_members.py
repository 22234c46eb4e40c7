"""Several operators share the work, each a process as its container starts it: what one had that stops is taken over by the others, and no step is lost
or runs twice. Only the API server is a stand-in, and Pods are: they commit through the gateway of any operator that answers."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from mlworkflow.core import names
from mlworkflow.kube.members.leases import VIEW

from tests.builders import a_workflow
from tests.component.kube.fake_api import failure
from tests.component.operator.cluster import Json
from tests.component.operator.test_process import BODY, HOUR, Discoverable, running
from tests.component.servers import free_port
from tests.component.tokens import Cluster, of_pod, token

LAYERS = ("a", "b", "c")


class Api(Discoverable):
    """Has Leases too, and a door for each member, which can be shut."""

    def __init__(self) -> None:
        super().__init__()
        self.objects["leases"], self.history["leases"] = {}, []
        self.keys = Cluster()
        self.shut: set[str] = set()
        self.refused: Counter[str] = Counter()

    @asynccontextmanager
    async def door(self, name: str) -> AsyncIterator[str]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if request.path == "/openid/v1/jwks":
                return web.json_response(await self.keys.fetch())
            if name in self.shut:  # it gets there when nobody waits for it any more, and is never carried out
                self.refused[name] += 1
                await asyncio.sleep(3600)
            return await self._dispatch(request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        server = TestServer(app)
        await server.start_server(shutdown_timeout=0)
        try:
            yield str(server.make_url("/")).rstrip("/")
        finally:
            await server.close()

    def _answer(
        self, verb: str, plural: str, name: str, subresource: str, body: Json, query: Mapping[str, str]
    ) -> web.Response:
        known = self.objects[plural].get(name)
        if plural != "leases" or verb == "create" or known is None:
            return super()._answer(verb, plural, name, subresource, body, query)
        if verb == "patch":
            if body["metadata"]["resourceVersion"] != known["metadata"]["resourceVersion"]:
                return failure(409, "Conflict")
            metadata = {**known["metadata"], **body["metadata"]}
            return web.json_response(self.put("leases", known, metadata=metadata, spec=body["spec"]))
        if verb == "delete":
            self.remove("leases", name)
        return web.json_response(known)


class One:
    """A member, as a process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, gateway: str, log: Path) -> None:
        self.name, self.process, self.gateway, self.log = name, process, gateway, log


class Several:
    """Members that come and go, the agents of all Pods, and what has been seen of both. `hold` keeps agents from committing."""

    def __init__(self, api: Api, endpoint: str, folder: Path) -> None:
        self.api, self._endpoint, self._folder = api, endpoint, folder
        self.members: dict[str, One] = {}
        self.ran: Counter[tuple[str, str]] = Counter()
        self.committed: Counter[tuple[str, str]] = Counter()
        self.hold = False
        self._stack = AsyncExitStack()
        self._agents: dict[str, asyncio.Task[None]] = {}
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3.0))

    async def start(self, name: str) -> One:
        server = await self._stack.enter_async_context(self.api.door(name))
        ports = free_port(), free_port()
        folder = self._folder / name
        folder.mkdir()
        process = await self._stack.enter_async_context(
            running(
                server, self._endpoint, folder, ports, MLWF_MEMBER=name, MLWF_MEMBER_NAMESPACE="default",
                MLWF_MEMBER_GROUP="mlworkflow", MLWF_MEMBER_ADDRESS="127.0.0.1", MLWF_GC_ENABLED="false",
            )
        )  # fmt: skip
        self.members[name] = One(name, process, f"http://127.0.0.1:{ports[0]}", folder / "operator.log")
        return self.members[name]

    async def close(self) -> None:
        for agent in self._agents.values():
            agent.cancel()
        for one in self.members.values():
            with suppress(ProcessLookupError):
                one.process.send_signal(signal.SIGCONT)
        await self._stack.aclose()
        await self._session.close()

    def views(self) -> dict[str, set[str]]:
        """By whom each acts, as its Lease says."""
        return {
            name: set(filter(None, lease["metadata"]["annotations"][VIEW].split(",")))
            for name, lease in self.api.objects["leases"].items()
            if lease["spec"]["holderIdentity"]
        }

    async def agree(self, *expected: str) -> None:
        await self.until(lambda: all(self.views().get(name) == set(expected) for name in expected))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(90):
            while not condition():
                self._play()
                await asyncio.sleep(0.02)

    def _play(self) -> None:
        """Every Pod that there is runs, and its agent works."""
        for name, pod in list(self.api.pods.items()):
            uid = pod["metadata"]["uid"]
            if uid not in self._agents:
                self._agents[uid] = asyncio.create_task(self._agent(name, pod))

    async def _agent(self, name: str, pod: Json) -> None:
        what = pod["metadata"]["labels"][names.LABEL_WORKFLOW], pod["metadata"]["labels"][names.LABEL_STEP]
        self.ran[what] += 1
        started = {"name": "step", "state": {"running": {}}}
        self.api.put("pods", self.api.pods[name], status={"phase": "Running", "containerStatuses": [started]})
        bound = {**of_pod(name, pod["metadata"]["uid"], "default")}
        now = time.time() + HOUR  # the API server's
        headers = {"Authorization": f"Bearer {token(of=bound, nbf=now - 60, exp=now + 600)}"}
        while True:
            while self.hold:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            one = random.choice(list(self.members.values()))
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.post(
                    f"{one.gateway}/v1/commit", json={"exitCode": 0}, headers=headers
                ) as said:
                    if said.status == 200:
                        break
            await asyncio.sleep(0.05)
        self.committed[what] += 1
        ended = {"name": "step", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
        self.api.put("pods", self.api.pods[name], status={"phase": "Succeeded", "containerStatuses": [ended]})

    def create(self, prefix: str, count: int, **spec: Any) -> list[str]:
        """So many workflows of a chain."""
        made = []
        for number in range(count):
            name = f"{prefix}{number}"
            builder = a_workflow(name).meta(uid=str(uuid.uuid4())).having(**spec)
            for before, layer in zip(("", *LAYERS), LAYERS, strict=False):
                builder = builder.kind(layer, "container", BODY, **({"after": [before]} if before else {}))
            self.api.put("mlworkflows", builder.resource())
            made.append(name)
        return made

    def begun(self, *workflows: str) -> bool:
        return all(self.ran[name, LAYERS[0]] for name in workflows)

    async def finish(self, *workflows: str) -> None:
        self.hold = False
        await self.until(lambda: all(self.api.status(name).get("phase") == "Succeeded" for name in workflows))


@asynccontextmanager
async def several(endpoint: str, folder: Path, *names: str) -> AsyncIterator[Several]:
    """Members that share, and agree that they do."""
    made = Several(Api(), endpoint, folder)
    try:
        for name in names:
            await made.start(name)
        await made.agree(*names)
        yield made
        for one in made.members.values():
            assert "a bug" not in one.log.read_text(), one.log.read_text()[-6000:]
            assert "Traceback" not in one.log.read_text(), one.log.read_text()[-6000:]
    finally:
        await made.close()


async def test_what_is_killed_frozen_cut_off_or_stopped_is_taken_over_and_no_step_runs_twice(
    tmp_path: Path, endpoints: Callable[[str], str]
) -> None:
    async with several(endpoints("minio"), tmp_path, "one", "two", "three") as those:
        those.hold = True
        first = those.create("killed", 9)
        await those.until(lambda: those.begun(*first))
        those.members.pop("one").process.kill()
        await those.finish(*first)

        await those.start("four")
        await those.agree("two", "three", "four")
        those.hold = True
        second = those.create("frozen", 9)
        await those.until(lambda: those.begun(*second))
        those.members["two"].process.send_signal(signal.SIGSTOP)
        await those.finish(*second)
        those.members["two"].process.send_signal(signal.SIGCONT)
        await those.agree("two", "three", "four")

        those.hold = True
        third = those.create("cut", 9)
        await those.until(lambda: those.begun(*third))
        those.api.shut.add("three")
        await those.finish(*third)
        those.api.shut.discard("three")
        await those.agree("two", "three", "four")

        those.hold = True
        fourth = those.create("stopped", 6)
        await those.until(lambda: those.begun(*fourth))
        leaving = those.members.pop("four")
        leaving.process.send_signal(signal.SIGTERM)
        await those.agree("two", "three")
        assert await leaving.process.wait() == 0
        await those.finish(*fourth)

        steps = {(name, layer): 1 for name in (*first, *second, *third, *fourth) for layer in LAYERS}
        assert those.ran == steps
        assert those.committed == steps
        attempts = {name: [step["attempts"] for step in those.api.status(name)["steps"]] for name in first}
        assert attempts == {name: [1, 1, 1] for name in first}

"""A small API server with two collections, a kubelet that says what a test tells it to, and the whole operator but kopf, over real HTTP.

`ApiServer` keeps Pods and MLWorkflows with versions, lists and watches, and counts what it is asked; `on(call, fault)` has the next call of a kind (``create pods``, ``patch
mlworkflows/status``, …) meet a fault: a response, or None to go on as usual.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from mlworkflow.attest.keys import SigningKey
from mlworkflow.attest.statement import OPERATOR, Builder
from mlworkflow.core import names
from mlworkflow.core.observation import Result
from mlworkflow.core.pods import PodSettings
from mlworkflow.core.status import stamp
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.keeper import Duty, Keeper, archiving
from mlworkflow.engine.keeper import signing as signing_with
from mlworkflow.engine.last_words import LastWords
from mlworkflow.engine.runs import EngineRuns
from mlworkflow.engine.webhook_sender import WebhookSender
from mlworkflow.gateway.runs import Caller
from mlworkflow.kube.auth import FixedAuth
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.config import ClusterConfig
from mlworkflow.kube.paths import MLWORKFLOWS
from mlworkflow.kube.pods import PodDriver
from mlworkflow.kube.queue import WorkQueue
from mlworkflow.kube.reconciler import Reconciler
from mlworkflow.kube.workers import run_workers
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.signing import BlobSigner

from tests.builders import WorkflowBuilder
from tests.component.kube.fake_api import failure

Json = dict[str, Any]
Fault = Callable[[], web.Response | None]
QUICK = Backoff(base=0.001, cap=0.002, attempts=2)
VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete", "GET": "get"}


def refused(code: int, reason: str, message: str = "said the server") -> Fault:
    return lambda: failure(code, reason, message)


class ApiServer:
    """See the module."""

    def __init__(self) -> None:
        self.versions = itertools.count(100)
        self.version = 100
        self.objects: dict[str, dict[str, Json]] = {"pods": {}, "mlworkflows": {}, "events": {}}
        self.history: dict[str, list[tuple[int, str, Json]]] = {"pods": [], "mlworkflows": [], "events": []}
        self.calls: Counter[str] = Counter()
        self.log: list[str] = []
        self.words = "the last words\n"
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.gate: asyncio.Event | None = None
        self.gated = "patch"
        self.deletions: list[tuple[str, Json]] = []
        self._news = asyncio.Event()

    def on(self, call: str, *faults: Fault) -> None:
        self.faults[call].extend(faults)

    @property
    def writes(self) -> Json:
        """What was asked, lists and watches left out."""
        return {call: count for call, count in self.calls.items() if call.split()[0] not in ("list", "watch")}

    @property
    def pods(self) -> dict[str, Json]:
        return self.objects["pods"]

    def workflow(self, name: str = "w") -> Json:
        return self.objects["mlworkflows"][name]

    def status(self, name: str = "w") -> Json:
        found: Json = self.workflow(name).get("status", {})
        return found

    def put(self, plural: str, obj: Json, **fields: Any) -> Json:
        """Create or change an object, and tell the watches."""
        name = obj["metadata"]["name"]
        is_new = name not in self.objects[plural]
        self.version = next(self.versions)
        obj = {**obj, **fields}
        obj["metadata"] = {**obj["metadata"], "resourceVersion": str(self.version)}
        obj["metadata"].setdefault("uid", f"uid-of-{name}-{self.version}")
        obj["metadata"].setdefault("creationTimestamp", stamp(time.time()))
        self.objects[plural][name] = obj
        self._tell(plural, "ADDED" if is_new else "MODIFIED", obj)
        return obj

    def edit(self, name: str = "w", **spec: Any) -> None:
        """A person edits a workflow."""
        known = self.workflow(name)
        metadata = {**known["metadata"], "generation": known["metadata"]["generation"] + 1}
        self.put("mlworkflows", known, spec={**known["spec"], **spec}, metadata=metadata)

    def remove(self, plural: str, name: str) -> None:
        obj = self.objects[plural].pop(name)
        self.version = next(self.versions)
        self._tell(plural, "DELETED", {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}})

    def _tell(self, plural: str, kind: str, obj: Json) -> None:
        self.history[plural].append((self.version, kind, obj))
        self._news.set()
        self._news = asyncio.Event()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[ClusterConfig]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._dispatch)
        server = TestServer(app)
        await server.start_server(shutdown_timeout=0)
        try:
            yield ClusterConfig(str(server.make_url("/")).rstrip("/"), None, FixedAuth())
        finally:
            await server.close()

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.split("/")
        start = next(index for index, part in enumerate(parts) if part in self.objects)
        plural, name, subresource = (*parts[start:], "", "")[:3]
        verb = VERBS[request.method]
        if verb == "get" and not name:
            verb = "watch" if "watch" in request.query else "list"
        call = f"{verb} {plural}{'/' + subresource if subresource else ''}"
        self.calls[call] += 1
        self.log.append(call)
        if self.gate and verb == self.gated:
            await self.gate.wait()
        if self.faults[call] and (answer := self.faults[call].popleft()()) is not None:
            return answer
        if verb == "watch":
            return await self._watch(request, plural)
        if verb == "list":
            items, start = list(self.objects[plural].values()), int(request.query.get("continue", 0))
            end = start + int(request.query.get("limit", len(items)) or len(items))
            metadata = {"resourceVersion": str(self.version), **({"continue": str(end)} if end < len(items) else {})}
            return web.json_response({"metadata": metadata, "items": items[start:end]})
        body = orjson.loads(await request.read() or b"{}")
        return self._answer(
            verb, plural, name or body.get("metadata", {}).get("name", ""), subresource, body, request.query
        )

    def _answer(
        self, verb: str, plural: str, name: str, subresource: str, body: Json, query: Mapping[str, str]
    ) -> web.Response:
        known = self.objects[plural].get(name)
        if verb == "create":
            if known:
                return failure(409, "AlreadyExists")
            return web.json_response(self.put(plural, body, status={"phase": "Pending"}), status=201)
        if known is None:
            return failure(404, "NotFound")
        if verb == "patch":
            if body["metadata"]["resourceVersion"] != known["metadata"]["resourceVersion"]:
                return failure(409, "Conflict")
            status = {**known.get("status", {}), **body["status"]}
            status = {field: value for field, value in status.items() if value is not None}
            return web.json_response(self.put(plural, known, status=status))
        if verb == "delete":
            self.deletions.append((name, body))
            if body.get("preconditions", {}).get("uid", known["metadata"]["uid"]) != known["metadata"]["uid"]:
                return failure(409, "Conflict")
            if known.get("status", {}).get("phase") in ("Succeeded", "Failed"):
                self.remove(plural, name)  # without a grace period, which is for what runs
                return web.json_response(known)
            metadata = {**known["metadata"], "deletionTimestamp": stamp(time.time())}
            return web.json_response(self.put(plural, {**known, "metadata": metadata}))
        if subresource == "log":
            lines = self.words.splitlines(keepends=True)
            tail = lines[-int(query["tailLines"]) :] if "tailLines" in query else lines
            return web.Response(body="".join(tail).encode()[: int(query.get("limitBytes", 1 << 30))])
        return web.json_response(known)

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            news = self._news
            for version, kind, obj in self.history[plural]:
                if version > seen:
                    seen = version
                    await response.write(orjson.dumps({"type": kind, "object": obj}) + b"\n")
            await news.wait()


class Operator:
    """One life of the operator, kopf's part played by a list and a watch of its own."""

    def __init__(
        self,
        api: ApiServer,
        client: KubeClient,
        folder: Path,
        clock: Callable[[], float],
        hosts: frozenset[str] | None,
        signing: bool,
        aside: Sequence[Duty] = (),
    ) -> None:
        self.api = api
        self.client = client
        self.queue: WorkQueue[str] = WorkQueue(backoff=QUICK)
        self.statuses: WorkQueue[str] = WorkQueue(backoff=QUICK)
        settings = PodSettings(gateway="http://gateway", steps_image="steps", agent_image="agent")
        self.driver = PodDriver(
            client,
            settings,
            ["default"],
            lambda uid, attempt: self.engine.heard(uid, attempt),
            lambda uid: self.reconciler.home(uid),
            clock,
            lambda key, pod: self.last_words.hear(key, pod),
        )
        store = DirectoryStore(folder, BlobSigner(b"0" * 32))
        self.engine = Engine(store, self.driver, lambda uid: self.reconciler.wake(uid), clock)
        key = folder / "webhook.key"
        key.write_text("the master key")
        self.webhooks = WebhookSender(self.engine, key, hosts)
        signing_key = folder / "signing.key"
        if signing:
            SigningKey.made(signing_key)
        wake = lambda uid: self.reconciler.wake(uid)  # noqa: E731
        duties = [archiving, *([signing_with(signing_key, Builder(OPERATOR, "1"))] if signing else [])]
        self.keeper = Keeper(store, duties, wake, aside=Keeper(store, aside, lambda uid: None))
        self.last_words = LastWords(
            store, lambda key, pod: self.driver.last_log(key.namespace, (key.task, key.attempt), pod)
        )
        self.reconciler = Reconciler(
            client, self.engine, self.queue.add, self.statuses.add, clock, self.webhooks, self.keeper, pause=0.0
        )
        self.runs = EngineRuns(self.engine)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.driver.run())
            group.create_task(self._events())
            group.create_task(self._work())
            group.create_task(run_workers(self.statuses, 4, self.reconciler.publish))

    async def _work(self) -> None:
        await self.driver.wait_synced()
        await run_workers(self.queue, 4, self.reconciler.reconcile)

    async def _events(self) -> None:
        listed = await self.client.list(MLWORKFLOWS.path("default"))
        for resource in listed["items"]:
            self.reconciler.observe(None, resource)
        version = {"resourceVersion": listed["metadata"]["resourceVersion"]}
        async for event in self.client.watch(MLWORKFLOWS.path("default"), version):
            self.reconciler.observe(event.type, event.object)

    @property
    def is_idle(self) -> bool:
        states = [self.queue.statistics(), self.statuses.statistics()]
        return (
            all(state.depth == state.in_flight == 0 for state in states)
            and self.keeper.is_idle
            and self.last_words.is_idle
        )

    async def settled(self) -> None:
        """Return once the operator has seen everything and has nothing to do."""
        quiet = 0
        async with asyncio.timeout(20):
            while quiet < 5:
                await asyncio.sleep(0.002)
                quiet = quiet + 1 if self.is_idle else 0

    async def commit(self, pod: str, exit_code: int = 0) -> None:
        """The agent in a Pod has done its work."""
        obj = self.api.pods[pod]
        key = self.runs.attempt_of(Caller(namespace="default", pod=pod, pod_uid=obj["metadata"]["uid"]))
        await self.runs.commit(key, Result(exit_code=exit_code))

    async def end(self, pod: str, phase: str = "Succeeded", **status: Any) -> None:
        """The kubelet has seen a Pod end."""
        self.api.put("pods", self.api.pods[pod], status={"phase": phase, **status})
        await self.settled()

    async def work(self, pod: str, exit_code: int = 0) -> None:
        """A Pod runs, commits and ends."""
        self.api.put("pods", self.api.pods[pod], status={"phase": "Running"})
        await self.settled()
        await self.commit(pod, exit_code)
        await self.settled()
        await self.end(pod, "Failed" if exit_code else "Succeeded")


@asynccontextmanager
async def operating(
    api: ApiServer,
    folder: Path,
    clock: Callable[[], float] = time.time,
    hosts: frozenset[str] | None = None,
    signing: bool = False,
    aside: Sequence[Duty] = (),
) -> AsyncIterator[Operator]:
    """The operator, running, having settled."""
    async with api.served() as config, KubeClient(config, backoff=QUICK) as client:
        operator = Operator(api, client, folder, clock, hosts, signing, aside)
        running = asyncio.create_task(operator.run())
        try:
            await operator.driver.wait_synced()
            await operator.settled()
            yield operator
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await operator.webhooks.close()
            await operator.keeper.close()
            await operator.last_words.close()


def given(builder: WorkflowBuilder) -> ApiServer:
    """A server that has this workflow."""
    api = ApiServer()
    api.put("mlworkflows", builder.resource())
    return api


def pod_of(api: ApiServer, step: str, attempt: int = 0) -> str:
    """The name of the Pod of a step's attempt."""
    (name,) = [
        name
        for name, pod in api.pods.items()
        if pod["metadata"]["labels"][names.LABEL_STEP] == step
        and pod["metadata"]["annotations"][names.ANNOTATION_ATTEMPT] == str(attempt)
    ]
    return name

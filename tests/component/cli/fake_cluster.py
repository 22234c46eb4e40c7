"""A small API server with MLWorkflows, Pods' logs, Services and tokens, and behind its service proxy the real gateway."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from mlworkflow.core.observation import Result
from mlworkflow.core.pods import MAIN
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._auth import Reader
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.errors import Superseded, Unauthorized
from mlworkflow.local.patches import merged
from mlworkflow.store import archive
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.garbage import Known, Report, Retention, collect
from mlworkflow.store.layout import AttemptKey, cas_key
from mlworkflow.store.records import Record
from mlworkflow.store.signing import BlobSigner

from tests.builders import write_record

NAMESPACE = "ml"
TOKENS = {verb: f"token-of-ml-to-{verb}" for verb in ("read", "write", "purge")}
Json = dict[str, Any]
GROUP = "/apis/mlworkflow.io/v1alpha1"


class Readers:
    async def reader(self, token: str) -> Reader:
        return self._known(token, "read")

    async def purger(self, token: str) -> Reader:
        return self._known(token, "purge")

    async def writer(self, token: str) -> Reader:
        return self._known(token, "write")

    def _known(self, token: str, verb: str) -> Reader:
        if token != TOKENS[verb]:
            raise Unauthorized("no such token")
        return Reader(NAMESPACE, "default")


class FakeCluster:
    """`refused` are path parts that answer 403; `calls` are the requests as ``METHOD path``.

    `user` is who asks (empty: the server is too old to say), `policy` the only one whose decisions it takes.
    """

    def __init__(self, folder: Path) -> None:
        self.store = DirectoryStore(folder / "store", BlobSigner(b"s" * 32))
        self.workflows: dict[str, Json] = {}
        self.logs: dict[str, list[bytes]] = {}
        self.refused: set[str] = set()
        self.services = [("operators", "mlworkflow-gateway")]
        self.port = "http"
        self.calls: list[str] = []
        self.user = self.policy = "system:serviceaccount:ml:ci"
        self.version = 10
        self.events: list[Json] = []
        self.watched = asyncio.Event()
        self._changed = asyncio.Event()
        self._gateway = ""
        self.keys = ""

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        async def garbage(namespace: str) -> Report:
            uids = {workflow["metadata"]["uid"] for workflow in self.workflows.values()}
            return collect(self.store, namespace, Known(uids, ()), Retention(grace=0), dry_run=True)

        async def purge(namespace: str, uid: str) -> int:
            if uid in {workflow["metadata"]["uid"] for workflow in self.workflows.values()}:
                raise Superseded("its workflow exists: delete that first")
            return archive.purge(self.store, namespace, uid)

        app = make_app(
            runs=None,  # type: ignore[arg-type]
            store=self.store,
            authenticator=None,  # type: ignore[arg-type]
            readers=Readers(),
            garbage=garbage,
            purge=purge,
            public_keys=lambda: self.keys,
        )
        gateway = TestServer(app)
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._dispatch)
        server = TestServer(app)
        await gateway.start_server()
        await server.start_server(shutdown_timeout=0)
        self._gateway = str(gateway.make_url("/")).rstrip("/")
        try:
            yield str(server.make_url("/")).rstrip("/")
        finally:
            await server.close()
            await gateway.close()

    def put(self, name: str, status: Json | None = None, **spec: Any) -> Json:
        """Create or change a workflow."""
        self.version += 1
        old = self.workflows.get(
            name, {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "spec": {}, "status": {}}
        )
        metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "resourceVersion": str(self.version),
                    "creationTimestamp": "2026-11-25T12:00:00Z", "managedFields": [{}]}  # fmt: skip
        workflow = {**old, "metadata": metadata, "spec": {**old["spec"], **spec}, "status": status or old["status"]}
        self._tell("MODIFIED" if name in self.workflows else "ADDED", workflow)
        self.workflows[name] = workflow
        return workflow

    def remove(self, name: str) -> None:
        self.version += 1
        gone = self.workflows.pop(name)
        self._tell("DELETED", {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}})

    def keep(self, data: bytes) -> ArtifactRef:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.store.write_bytes(cas_key(NAMESPACE, digest), data)
        return ArtifactRef(digest, len(data), "file")

    def record(self, name: str, task: str, result: Result) -> None:
        fields = {field: getattr(result, field) for field in Result.__struct_fields__}
        record = Record(**fields, workflow=name, step=task.partition("/")[0], task=task, attempt=0, kind="container")
        write_record(self.store, AttemptKey(NAMESPACE, f"uid-{name}", task, 0), record)

    def _tell(self, kind: str, workflow: Json) -> None:
        self.events.append({"type": kind, "object": workflow})
        self._changed.set()
        self._changed = asyncio.Event()

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        path, method = request.path, request.method
        self.calls.append(f"{method} {path}{'?' + request.query_string if request.query_string else ''}")
        if any(part in path for part in self.refused):
            return _status(403, "Forbidden", f"you cannot {method.lower()} {path}")
        if "/proxy/" in path:
            return await self._proxy(request)
        if path.endswith("/serviceaccounts/default/token"):
            body = await request.json()
            (audience,) = body["spec"]["audiences"]
            verb = audience.removeprefix("mlworkflow-")
            assert body["spec"] == {"audiences": [audience], "expirationSeconds": 600}
            return web.json_response({"status": {"token": TOKENS[verb]}}, status=201)
        if path == "/apis/authentication.k8s.io/v1/selfsubjectreviews" and self.user:
            assert (await request.json())["kind"] == "SelfSubjectReview"
            return web.json_response({"status": {"userInfo": {"username": self.user}}}, status=201)
        if path.endswith("/services"):
            assert request.query["labelSelector"] == "app.kubernetes.io/part-of=mlworkflow"
            wanted = path.split("/")[4] if "/namespaces/" in path else None
            items = [
                {"metadata": {"namespace": place, "name": name}, "spec": {"ports": [{"name": self.port}]}}
                for place, name in self.services
                if wanted in (None, place)
            ]
            return web.json_response({"metadata": {}, "items": items})
        if path.endswith("/log"):
            return await self._log(request, path.split("/")[-2])
        if path.startswith(GROUP):
            return await self._workflow(
                request, path.removeprefix(f"{GROUP}/namespaces/{NAMESPACE}/mlworkflows").strip("/")
            )
        return _status(404, "NotFound", "the server could not find the requested resource")

    async def _workflow(self, request: web.Request, name: str) -> web.StreamResponse:
        if request.path == f"{GROUP}/mlworkflows" or (not name and request.method == "GET"):
            if request.query.get("watch"):
                return await self._watch(request)
            return web.json_response(
                {"metadata": {"resourceVersion": str(self.version)}, "items": list(self.workflows.values())}
            )
        if request.method == "POST":
            body = await request.json()
            name = body["metadata"].get("name") or f"{body['metadata']['generateName']}x7k2p"
            if name in self.workflows:
                return _status(409, "AlreadyExists", f"{name} exists")
            return web.json_response(self.put(name, **body["spec"]), status=201)
        if name not in self.workflows:
            return _status(404, "NotFound", f'mlworkflows "{name}" not found', {"name": name})
        if request.method == "PATCH":
            return self._patch(name, (await request.json())["spec"])
        if request.method == "DELETE":
            assert (await request.json())["preconditions"]["uid"] == f"uid-{name}"
            self.remove(name)
        return web.json_response(self.workflows.get(name, {}))

    def _patch(self, name: str, patch: Json) -> web.Response:
        before = self.workflows[name]
        spec = merged(before["spec"], patch)
        for step, decision in (spec.get("approvals") or {}).items():  # as the chart's admission policy says it
            if decision != (before["spec"].get("approvals") or {}).get(step) and decision["by"] != self.policy:
                denied = f"ValidatingAdmissionPolicy 'approvals' with binding 'approvals' denied request: spec.approvals: must be your own name, '{self.policy}'"
                return _status(403, "Forbidden", f'mlworkflows.mlworkflow.io "{name}" is forbidden: {denied}')
        self.workflows[name] = {**before, "spec": {}}
        return web.json_response(self.put(name, **spec))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        self.watched.set()
        since = int(request.query["resourceVersion"])
        while True:
            changed = self._changed
            for event in self.events:
                if int(event["object"]["metadata"]["resourceVersion"]) > since:
                    since = int(event["object"]["metadata"]["resourceVersion"])
                    await response.write(json.dumps(event).encode() + b"\n")
            await changed.wait()

    async def _log(self, request: web.Request, pod: str) -> web.StreamResponse:
        assert request.query["container"] == MAIN
        if pod not in self.logs:
            return _status(404, "NotFound", f'pods "{pod}" not found', {"name": pod})
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in self.logs[pod]:
            await response.write(piece)
        return response

    async def _proxy(self, request: web.Request) -> web.StreamResponse:
        url = self._gateway + request.raw_path.partition("/proxy")[2]
        headers = {name: value for name, value in request.headers.items() if name.startswith("X-")}
        data = await request.read() if request.can_read_body else None
        async with (
            ClientSession() as session,
            session.request(request.method, url, headers=headers, data=data) as answer,
        ):
            return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)


def _status(code: int, reason: str, message: str, details: Json | None = None) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details or {}}
    return web.json_response(body, status=code)

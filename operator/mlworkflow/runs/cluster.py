"""The workflows of a cluster that are there: begun, watched, changed and deleted. What is kept of them, also when they are gone, is read by `Kept`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from mlworkflow.core import names
from mlworkflow.core.pods import MAIN
from mlworkflow.core.riders import Part, named
from mlworkflow.kube import paths
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient, log_params
from mlworkflow.kube.config import ConfigError, load_config
from mlworkflow.kube.errors import (
    AlreadyExists,
    ApiError,
    Gone,
    NotFound,
    Unavailable,
)
from mlworkflow.kube.paths import MLWORKFLOWS, PODS
from mlworkflow.kube.streams import only
from mlworkflow.runs.errors import NoSuchRun, Refused, RunsError, Usage
from mlworkflow.runs.kept import Kept
from mlworkflow.runs.places import Place
from mlworkflow.runs.pods_now import carrier, pods_now
from mlworkflow.runs.reader import Reader
from mlworkflow.runs.refusals import refusal, translated
from mlworkflow.runs.run import NoLog, PodNow, Resource, Run, must_exist
from mlworkflow.store.layout import Line

PATIENCE = Backoff(base=0.2, cap=2.0, attempts=3)
_AGAIN = 1.0
_REVIEWS = paths.Resource("authentication.k8s.io", "v1", "selfsubjectreviews")


@asynccontextmanager
async def connected(place: Place, flags: str) -> AsyncIterator[ClusterRuns]:
    """The workflows of the cluster that a place names. Raises RunsError."""
    async with client_at(place) as client:
        yield ClusterRuns(client, place.namespace, flags, place.operator_namespace)


@asynccontextmanager
async def client_at(place: Place) -> AsyncIterator[KubeClient]:
    """A client of the cluster that a place names. Raises RunsError."""
    try:
        config = load_config(kubeconfig=place.kubeconfig, context=place.context)
    except ConfigError as error:
        raise Usage(str(error), "name a kubeconfig with --kubeconfig or KUBECONFIG, or use --local") from None
    async with KubeClient(config, backoff=PATIENCE) as client:
        yield client


class ClusterRuns(Kept):
    """Implements `Runs`. `namespace` None: the context's."""

    is_local = False

    def __init__(self, client: KubeClient, namespace: str | None, flags: str, operator_namespace: str | None) -> None:
        self._client = client
        self._given = namespace
        self.namespace = namespace or client.config.namespace
        super().__init__(Reader(client, self.namespace, operator_namespace), client.config.server, flags)

    async def submit(self, resource: Resource) -> Run:
        """Create a workflow. Raises RunsError."""
        metadata = resource.get("metadata") or {}
        asked = metadata.get("namespace")
        if asked and self._given and asked != self._given:
            raise Usage(
                f"the file says namespace {asked}, and -n says {self._given}", "leave out -n, or metadata.namespace"
            )
        namespace = asked or self.namespace
        body = {**resource, "metadata": {**metadata, "namespace": namespace}}
        with translated(self._server):
            try:
                return _run(await self._client.create(MLWORKFLOWS.path(namespace), body))
            except AlreadyExists:
                name = metadata.get("name")
                raise RunsError(
                    f"there is a workflow '{name}' in the namespace {namespace} already",
                    f"delete it first (mlwf delete {name}{self.flags}), or use metadata.generateName instead of a name",
                ) from None

    async def list(self, everywhere: bool = False) -> list[Run]:
        found: list[Run] = []
        with translated(self._server):
            async for page in self._client.pages(MLWORKFLOWS.path(None if everywhere else self.namespace)):
                # items of a list have no kind of their own
                found += [_run({"apiVersion": names.API_VERSION, "kind": names.KIND, **item}) for item in page["items"]]
        return sorted(found, key=lambda run: run.resource["metadata"].get("creationTimestamp") or "")

    async def get(self, name: str) -> Run:
        with translated(self._server):
            try:
                return _run(await self._client.get(self._path(name)))
            except NotFound as error:
                if not error.details.get("name"):
                    raise  # no such resource at all
        return await self._gone(name)

    async def archived(self) -> Sequence[Line]:
        return await self._lines("")

    async def _gone(self, name: str) -> Run:
        """A workflow that is gone, by its name (the last to end) or its uid."""
        missing = f"there is no workflow '{name}' in the namespace {self.namespace}"
        try:
            ended = [line.uid for line in await self._lines(name) if line.run == name]
        except RunsError as error:
            raise NoSuchRun(missing, f"whether it is gone and what is kept of it cannot be asked: {error}") from None
        document = await self._bytes(f"runs/{ended[-1] if ended else name}/workflow")
        if document is None:
            raise NoSuchRun(missing, "mlwf list -A shows all there are, mlwf list --archived those that are gone")
        resource = json.loads(document)
        called = str(resource.pop("id"))
        return Run(name if name == resource["metadata"]["uid"] else called, resource, is_archived=True)

    async def _lines(self, name: str) -> Sequence[Line]:
        query = {"name": name} if name else None
        with translated(self._server):
            try:
                return [Line(**line) for line in (await self._reader.json("archive", query))["runs"]]
            except NotFound:
                raise Refused("this operator keeps no list of runs", "it is older than this mlwf") from None

    async def watch(self, name: str) -> AsyncGenerator[Run, None]:
        before: Mapping[str, Any] | None = None
        run = await self.get(name)
        uid = run.uid
        while True:
            if run.uid != uid:
                raise NoSuchRun(
                    f"{name} was deleted, and there is another of this name now",
                    f"watch that: mlwf watch {name}{self.flags}",
                )
            if run.status != before:
                before = run.status
                yield run
            if run.phase.is_finished:
                return
            async with aclosing(self._changes(run)) as changes:
                async for run in changes:
                    if run.uid != uid or run.status != before:
                        break
                else:
                    await asyncio.sleep(_AGAIN)
                    run = await self._patient_get(name)

    async def _changes(self, run: Run) -> AsyncGenerator[Run, None]:
        """Versions after `run`, until the watch ends, for whatever reason."""
        query = {
            "fieldSelector": f"metadata.name={run.id}",
            "resourceVersion": run.resource["metadata"]["resourceVersion"],
        }
        try:
            async with aclosing(self._client.watch(MLWORKFLOWS.path(run.namespace), query)) as events:
                async for event in events:
                    if event.type == "DELETED":
                        raise NoSuchRun(f"{run.id} was deleted", f"what is kept of it: mlwf get {run.id}{self.flags}")
                    if event.type != "BOOKMARK":
                        yield _run(event.object)
        except (Unavailable, Gone):
            return
        except ApiError as error:
            raise refusal(error, self._server) from None

    async def _patient_get(self, name: str) -> Run:
        """As `get`; a server that is away is waited for: whoever watches a training watches it for hours."""
        while True:
            try:
                return _run(await self._client.get(self._path(name)))
            except Unavailable:
                await asyncio.sleep(_AGAIN)
            except ApiError:
                return await self.get(name)

    async def live_log(self, run: Run, task: str, attempt: int, follow: bool) -> AsyncGenerator[bytes, None]:
        pod, is_shared = carrier(run, task, attempt)
        path, query = PODS.path(run.namespace, pod, "log"), log_params(MAIN, follow=follow)
        own = Part(named(task, attempt), is_own=True) if is_shared else None
        with translated(self._server):
            while True:
                try:
                    async with aclosing(only(own, self._client.stream(path, query))) as pieces:
                        async for piece in pieces:
                            yield piece
                    return
                except NotFound:
                    raise NoLog(
                        f"{run.id}: the Pod of attempt {attempt} of {task} is gone, and it left no log"
                    ) from None
                except ApiError as error:
                    if error.status != 400:
                        raise
                    if not follow:  # the container has not started
                        raise NoLog(f"{run.id}: {task} has not started yet: {error.message}") from None
                await asyncio.sleep(_AGAIN)

    async def change(self, run: Run, spec: Mapping[str, Any]) -> None:
        must_exist(run)
        with translated(self._server):
            await self._client.merge_patch(MLWORKFLOWS.path(run.namespace, run.id), {"spec": dict(spec)})

    async def is_idle(self, run: Run) -> bool:
        return False

    async def pods(self, everywhere: bool = False) -> Mapping[str, PodNow]:
        return await pods_now(self._client, None if everywhere else self.namespace)

    async def whoami(self) -> str:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
        with translated(self._server):
            try:
                review = await self._client.create(_REVIEWS.path(), body)
            except NotFound:
                raise Refused(
                    "this cluster does not say by which name it knows you, and a decision needs it",
                    "SelfSubjectReview is there from Kubernetes 1.28 on",
                ) from None
        return str(review["status"]["userInfo"]["username"])

    async def delete(self, run: Run) -> None:
        must_exist(run)
        with translated(self._server):
            path = MLWORKFLOWS.path(run.namespace, run.id)
            await self._client.delete(path, uid=run.uid, propagation="Background")

    def _path(self, name: str) -> str:
        if not name or "/" in name or name in (".", ".."):
            raise Usage(f"'{name}' is no name of a workflow", "those there are: mlwf list")
        return MLWORKFLOWS.path(self.namespace, name)


def _run(resource: Resource) -> Run:
    metadata = {key: value for key, value in resource["metadata"].items() if key != "managedFields"}
    return Run(str(metadata["name"]), {**resource, "metadata": metadata})

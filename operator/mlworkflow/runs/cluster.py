"""The workflows of a cluster."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, BinaryIO
from urllib.parse import quote

from mlworkflow.core import names
from mlworkflow.core.observation import AttemptId
from mlworkflow.core.pods import MAIN
from mlworkflow.core.values import ArtifactRef
from mlworkflow.kube import paths
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient, log_params
from mlworkflow.kube.config import ConfigError, load_config
from mlworkflow.kube.errors import (
    AlreadyExists,
    ApiError,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
)
from mlworkflow.kube.paths import MLWORKFLOWS, PODS
from mlworkflow.runs.errors import NoSuchRun, NotAllowed, Refused, Removed, RunsError, Unknown, Usage
from mlworkflow.runs.lineage.book import Act
from mlworkflow.runs.places import Place
from mlworkflow.runs.reader import Reader, is_out_of_reach
from mlworkflow.runs.run import NoLog, Resource, Run, must_exist
from mlworkflow.store.layout import Line

_PATIENCE = Backoff(base=0.2, cap=2.0, attempts=3)
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
    async with KubeClient(config, backoff=_PATIENCE) as client:
        yield client


class ClusterRuns:
    """Implements `Runs`. `namespace` None: the context's."""

    is_local = False

    def __init__(self, client: KubeClient, namespace: str | None, flags: str, operator_namespace: str | None) -> None:
        self._client = client
        self._given = namespace
        self.namespace = namespace or client.config.namespace
        self.flags = flags
        self._reader = Reader(client, self.namespace, operator_namespace)

    async def submit(self, resource: Resource) -> Run:
        """Create a workflow. Raises RunsError."""
        metadata = resource.get("metadata") or {}
        asked = metadata.get("namespace")
        if asked and self._given and asked != self._given:
            raise Usage(f"the file says namespace {asked}, and -n says {self._given}")
        namespace = asked or self.namespace
        body = {**resource, "metadata": {**metadata, "namespace": namespace}}
        with translated(self._client.config.server):
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
        with translated(self._client.config.server):
            async for page in self._client.pages(MLWORKFLOWS.path(None if everywhere else self.namespace)):
                # items of a list have no kind of their own
                found += [_run({"apiVersion": names.API_VERSION, "kind": names.KIND, **item}) for item in page["items"]]
        return sorted(found, key=lambda run: run.resource["metadata"].get("creationTimestamp") or "")

    async def get(self, name: str) -> Run:
        with translated(self._client.config.server):
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
        with translated(self._client.config.server):
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
                raise NoSuchRun(f"{name} was deleted, and there is another of this name now")
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
                        raise NoSuchRun(f"{run.id} was deleted")
                    if event.type != "BOOKMARK":
                        yield _run(event.object)
        except (Unavailable, Gone):
            return
        except ApiError as error:
            raise _refusal(error, self._client.config.server) from None

    async def _patient_get(self, name: str) -> Run:
        """As `get`; a server that is away is waited for: whoever watches a training watches it for hours."""
        while True:
            try:
                return _run(await self._client.get(self._path(name)))
            except Unavailable:
                await asyncio.sleep(_AGAIN)
            except ApiError:
                return await self.get(name)

    async def record(self, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        return await self._kept("record", run, task, attempt)

    async def kept_log(self, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        return await self._kept("log", run, task, attempt)

    async def left(self, run: Run, task: str, attempt: int) -> Mapping[str, Any]:
        return await self._kept("left", run, task, attempt) or {}

    async def _kept(self, noun: str, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        with translated(self._client.config.server):
            try:
                query: dict[str, str | int] = {"task": task, "attempt": attempt}
                return dict(await self._reader.json(f"runs/{run.uid}/{noun}", query))
            except NotFound:
                return None

    async def attempts(self, run: Run) -> Sequence[AttemptId]:
        with translated(self._client.config.server):
            found = await self._reader.json(f"runs/{run.uid}")
        return [(str(record["task"]), int(record["attempt"])) for record in found["records"]]

    async def acts(self) -> AsyncGenerator[Act, None]:
        rest = b""
        with translated(self._client.config.server):
            try:
                async with aclosing(self._reader.stream("records")) as pieces:
                    async for piece in pieces:
                        *lines, rest = (rest + piece).split(b"\n")
                        for line in lines:
                            said = json.loads(line)
                            run = str(said["record"].get("workflow") or "")
                            yield Act(said["uid"], run, said["task"], said["attempt"], said["record"])
            except NotFound:
                raise Refused("this operator does not tell its records", "it is older than this mlwf") from None

    async def raw_record(self, run: Run, task: str, attempt: int) -> bytes | None:
        return await self._bytes(f"runs/{run.uid}/record", {"task": task, "attempt": attempt})

    async def statement(self, run: Run) -> bytes | None:
        return await self._bytes(f"runs/{run.uid}/provenance")

    async def signature(self, run: Run, task: str, attempt: int, artifact: str) -> bytes | None:
        query: dict[str, str | int] = {"task": task, "attempt": attempt, "artifact": artifact}
        return await self._bytes(f"runs/{run.uid}/signature", query)

    async def public_keys(self) -> str:
        with translated(self._client.config.server):
            try:
                return str((await self._reader.json("keys"))["keys"])
            except NotFound:
                raise Refused("the operator signs nothing", "it is too old, or has no key: docs/install.md") from None

    async def _bytes(self, path: str, query: Mapping[str, str | int] | None = None) -> bytes | None:
        with translated(self._client.config.server):
            try:
                async with aclosing(self._reader.stream(path, query)) as pieces:
                    return b"".join([piece async for piece in pieces])
            except NotFound:
                return None

    async def artifact(self, run: Run, digest: str) -> AsyncGenerator[bytes, None]:
        with translated(self._client.config.server):
            try:
                async with aclosing(self._reader.stream(f"artifacts/{digest}")) as pieces:
                    async for piece in pieces:
                        yield piece
            except NotFound:
                raise Removed("the store does not have it any more", "its retention may be over") from None

    async def live_log(self, run: Run, task: str, attempt: int, follow: bool) -> AsyncGenerator[bytes, None]:
        pod = names.pod_name(str(run.resource["metadata"]["name"]), run.uid, task, attempt)
        path, query = PODS.path(run.namespace, pod, "log"), log_params(MAIN, follow=follow)
        with translated(self._client.config.server):
            while True:
                try:
                    async with aclosing(self._client.stream(path, query)) as pieces:
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
        with translated(self._client.config.server):
            await self._client.merge_patch(MLWORKFLOWS.path(run.namespace, run.id), {"spec": dict(spec)})

    async def is_idle(self, run: Run) -> bool:
        return False

    async def whoami(self) -> str:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
        with translated(self._client.config.server):
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
        with translated(self._client.config.server):
            path = MLWORKFLOWS.path(run.namespace, run.id)
            await self._client.delete(path, uid=run.uid, propagation="Background")

    async def purge(self, run: Run) -> None:
        with translated(self._client.config.server):
            await self._reader.delete(f"runs/{run.uid}")

    async def garbage(self, *, dry_run: bool, grace: float | None) -> Mapping[str, Any]:
        if not dry_run or grace is not None:
            raise Usage(
                "in a cluster the operator collects garbage by itself, as its installation says",
                f"what it would remove now is told by: mlwf gc --dry-run{self.flags}",
            )
        with translated(self._client.config.server):
            try:
                return dict(await self._reader.json("garbage"))
            except NotFound:
                raise RunsError("this operator collects no garbage", "its chart says gc.enabled: false") from None

    async def datasets(self, name: str | None = None) -> Sequence[Mapping[str, Any]]:
        with translated(self._client.config.server):
            if name is None:
                return list((await self._reader.json("datasets"))["datasets"])
            try:
                return list((await self._reader.json(f"datasets/{quote(name, safe='')}"))["versions"])
            except NotFound:
                return []

    async def add_dataset(
        self, name: str, artifact: ArtifactRef, source: str, content: BinaryIO | None
    ) -> Mapping[str, Any]:
        import msgspec

        added = msgspec.json.encode({**msgspec.to_builtins(artifact), "source": source})
        with _writing(self._client.config.server):
            at = f"datasets/{quote(name, safe='')}"
            try:
                return dict(await self._reader.put(at, io.BytesIO(added)))
            except Invalid:  # its bytes are not there
                if content is None:
                    raise
            await self._reader.put(f"artifacts/{artifact.digest}", content, {"size": artifact.size})
            return dict(await self._reader.put(at, io.BytesIO(added)))

    async def remove_dataset(self, name: str, digest: str) -> None:
        with translated(self._client.config.server):
            await self._reader.delete(f"datasets/{quote(name, safe='')}", {"digest": digest})

    async def models(self) -> Sequence[Mapping[str, Any]]:
        with translated(self._client.config.server):
            return list((await self._reader.json("models"))["models"])

    async def model(self, name: str) -> Mapping[str, Any] | None:
        with translated(self._client.config.server):
            try:
                return dict(await self._reader.json(f"models/{quote(name, safe='')}"))
            except NotFound:
                return None

    async def move_alias(self, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        with _writing(self._client.config.server):
            sent = io.BytesIO(json.dumps(asked).encode())
            return dict(await self._reader.put(f"models/{quote(name, safe='')}", sent))

    def _path(self, name: str) -> str:
        if not name or "/" in name or name in (".", ".."):
            raise Usage(f"'{name}' is no name of a workflow")
        return MLWORKFLOWS.path(self.namespace, name)


def _run(resource: Resource) -> Run:
    metadata = {key: value for key, value in resource["metadata"].items() if key != "managedFields"}
    return Run(str(metadata["name"]), {**resource, "metadata": metadata})


@contextmanager
def translated(server: str) -> Iterator[None]:
    """What the API server refuses, as RunsError."""
    try:
        yield
    except ApiError as error:
        raise _refusal(error, server) from None


@contextmanager
def _writing(server: str) -> Iterator[None]:
    """As `translated`, where something is added by way of the gateway."""
    with translated(server):
        try:
            yield
        except Forbidden as error:
            raise NotAllowed(
                f"not allowed: {error.message}",
                "needed: the role …-dataset-writer in the operator's namespace (docs/cli.md)",
            ) from None


def _refusal(error: ApiError, server: str) -> RunsError:
    """The server's own words, and what to do."""
    match error:
        case Unauthorized():
            return Unknown(f"{server} does not know you: {error.message}", "log in again, as for kubectl")
        case Forbidden() if "denied the request" in error.message or "denied request" in error.message:
            return Refused(
                error.message,
                "a policy of the cluster refuses it: what it asks for is above; who you are is told by: kubectl auth whoami",
            )
        case Forbidden():
            return NotAllowed(
                f"not allowed: {error.message}", "ask for the role mlworkflow-view or mlworkflow-edit (docs/install.md)"
            )
        case NotFound() if not error.details.get("name"):
            return Refused("this cluster has no MLWorkflows", "install the operator: docs/install.md")
        case Unavailable() if error.status == 0:
            return Refused(f"no answer from {server}: {error.message}", "is the cluster up? kubectl cluster-info")
        case _ if is_out_of_reach(error):
            return Refused(f"the cluster cannot do it now: {error.message}", "try again in a moment")
    return Refused(error.message or str(error))

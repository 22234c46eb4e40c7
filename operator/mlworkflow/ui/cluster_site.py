"""The workflows of a cluster as one user may see them: an index kept by watches, in all namespaces where that is allowed, else in those that are asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from mlworkflow.core import names
from mlworkflow.core.state import Phase
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import ApiError, Forbidden, NotFound
from mlworkflow.kube.objects import Json
from mlworkflow.kube.paths import EVENTS, MLWORKFLOWS, NAMESPACES, PODS, Resource
from mlworkflow.kube.reflector import Reflector
from mlworkflow.runs import pods_now
from mlworkflow.runs.cluster import ClusterRuns
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.refusals import translated
from mlworkflow.runs.run import Resource as RunResource
from mlworkflow.runs.run import Run, Runs
from mlworkflow.ui.answers import KubeEvent, Pod, Rights, RunRow, Verb
from mlworkflow.ui.failing import problem_of
from mlworkflow.ui.index import Index
from mlworkflow.ui.pods import event_of, pod_of
from mlworkflow.ui.shown import phase_of, run_row
from mlworkflow.ui.site import VERBS, Batch, Mode

REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
RELIST = 3600.0
"""Seconds after which everything is listed again; a watch that works needs none of it."""
LIFE = 30.0
"""Seconds that rights and the list of namespaces are taken to be as they were."""
T = TypeVar("T")
_ASKED: dict[Verb, tuple[str, str, str]] = {
    "submit": ("create", names.GROUP, "mlworkflows"),
    "retry": ("patch", names.GROUP, "mlworkflows"),
    "suspend": ("patch", names.GROUP, "mlworkflows"),
    "resume": ("patch", names.GROUP, "mlworkflows"),
    "approve": ("patch", names.GROUP, "mlworkflows"),
    "cancel": ("patch", names.GROUP, "mlworkflows"),
    "delete": ("delete", names.GROUP, "mlworkflows"),
    "promote": ("create", "", "serviceaccounts/token"),
}
_REVIEWED = tuple(dict.fromkeys(_ASKED.values()))


@dataclass(slots=True)
class _Kept:
    """An answer, and until when it is taken for true."""

    value: Any
    until: float


@dataclass(slots=True)
class _Watched:
    reflector: Reflector[RunRow]
    task: asyncio.Task[None] | None = field(default=None)


class ClusterSite:
    """Implements `Site`. `wanted` are the namespaces to fall back to where not all may be watched; `client` is closed by whoever made it."""

    def __init__(
        self,
        client: KubeClient,
        *,
        mode: Literal["cluster", "team"] = "cluster",
        namespace: str | None = None,
        wanted: tuple[str, ...] = (),
        operator_namespace: str | None = None,
    ) -> None:
        self.mode: Mode = mode
        self.client = client
        self.place = client.config.server
        self.namespace = namespace or client.config.namespace
        self.index = Index()
        self._wanted = wanted
        self._operator_namespace = operator_namespace
        self._runs: dict[str, ClusterRuns] = {}
        self._watched: dict[str, _Watched] = {}
        self._kept: dict[str, _Kept] = {}
        self._starting = asyncio.Lock()
        self._all = self._is_started = False

    async def start(self) -> None:
        """Watch all namespaces where that is allowed, else those that are known."""
        try:
            with translated(self.place):
                await self.client.list(MLWORKFLOWS.path(), {"limit": 1})
        except RunsError as error:
            if self._wanted or await self._is_forbidden():
                for namespace in dict.fromkeys([*self._wanted, self.namespace]):
                    await self.look_into(namespace)
                self._is_started = True
                self._may_be_loaded()
                return
            self.index.trouble("", problem_of(error))
        self._all = self._is_started = True
        self._watch("")

    async def close(self) -> None:
        for watched in self._watched.values():
            if watched.task:
                watched.task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watched.task
        self._watched.clear()

    async def user(self) -> str:
        return str(await self._for_a_while("user", self._of(self.namespace).whoami))

    async def namespaces(self) -> list[str]:
        async def ask() -> list[str]:
            try:
                found = await self.client.list(NAMESPACES.path())
                return sorted(item["metadata"]["name"] for item in found["items"])
            except ApiError:
                return []

        known = await self._for_a_while("namespaces", ask)
        return sorted({*known, *self._wanted, self.namespace, *self.index.namespaces()})

    async def look_into(self, namespace: str) -> None:
        async with self._starting:
            if self._all or not namespace or namespace in self._watched:
                return
            try:
                with translated(self.place):
                    await self.client.list(MLWORKFLOWS.path(namespace), {"limit": 1})
            except RunsError as error:
                self.index.trouble(namespace, problem_of(error))
                self._may_be_loaded()
                return
            self.index.trouble(namespace, None)
            self._watch(namespace)

    def runs(self, namespace: str) -> Runs:
        return self._of(namespace)

    async def rights(self, namespace: str) -> Rights:
        async def ask() -> list[bool]:
            return await asyncio.gather(*(self._may(namespace, *each) for each in _REVIEWED))

        namespace = namespace or self.namespace
        with translated(self.place):
            allowed = await self._for_a_while(f"rights {namespace}", ask)
        given = dict(zip(_REVIEWED, allowed, strict=True))
        may: list[Verb] = [verb for verb in VERBS if given[_ASKED[verb]]]
        why = "" if len(may) == len(VERBS) else f"your roles in {namespace} do not allow the rest: docs/install.md"
        return Rights(namespace=namespace, may=may, why=why)

    async def pod(self, run: Run, task: str, attempt: int) -> Pod | None:
        if run.is_archived:
            return None
        name, _ = pods_now.carrier(run, task, attempt)
        events, problem = await self._events(run.namespace, name)
        try:
            found = await self.client.get(PODS.path(run.namespace, name))
        except NotFound:
            return (
                Pod(name=name, phase="Gone", node="", containers=[], events=events, problem=problem) if events else None
            )
        except ApiError as error:
            return Pod(name=name, phase="", node="", containers=[], events=events, problem=error.message or str(error))
        return pod_of(found, events, problem)

    async def events(self, run: Run) -> list[KubeEvent]:
        return [] if run.is_archived else (await self._events(run.namespace, str(run.resource["metadata"]["name"])))[0]

    async def metrics(self, run: Run, task: str, attempt: int) -> Batch:
        now = run.known.get(task, {})
        is_over = (
            run.phase.is_finished or phase_of(now) is not Phase.RUNNING or int(now.get("attempts") or 0) > attempt + 1
        )
        try:
            points, is_final = await self._of(run.namespace).series(run, task, attempt)
        except RunsError:  # who may not read artifacts sees what the status says
            return [], True
        return points, is_final or is_over

    async def submit(self, resource: RunResource) -> tuple[str, str]:
        namespace = (resource.get("metadata") or {}).get("namespace") or self.namespace
        run = await self._of(namespace).submit(resource)
        return run.namespace, run.id

    async def settled(self, run: Run) -> None:
        """Nobody holds it."""

    async def go_on(self, run: Run, patch: Mapping[str, Any]) -> None:
        await self._of(run.namespace).change(run, patch)

    def _of(self, namespace: str) -> ClusterRuns:
        if namespace not in self._runs:
            self._runs[namespace] = ClusterRuns(self.client, namespace, "", self._operator_namespace)
        return self._runs[namespace]

    def _watch(self, namespace: str) -> None:
        def changed(_key: str, old: RunRow | None, new: RunRow | None) -> None:
            if new is not None:
                self.index.put(new)
            if old is not None and (new is None or new.uid != old.uid):
                self.index.drop(old.namespace, old.uid)

        path = MLWORKFLOWS.path(namespace or None)
        reflector = Reflector(self.client, path, project=_row, on_change=changed, relist_every=RELIST)
        self._watched[namespace] = watched = _Watched(reflector)
        watched.task = asyncio.create_task(self._watch_with(watched))

    async def _watch_with(self, watched: _Watched) -> None:
        running = asyncio.ensure_future(watched.reflector.run())
        try:
            await watched.reflector.synced.wait()
            self.index.trouble("", None)
            self._may_be_loaded()
            await running
        finally:
            running.cancel()

    def _may_be_loaded(self) -> None:
        """All that is watched has been listed."""
        if self._is_started and all(each.reflector.synced.is_set() for each in self._watched.values()):
            self.index.loaded()

    async def _is_forbidden(self) -> bool:
        try:
            await self.client.list(MLWORKFLOWS.path(), {"limit": 1})
        except Forbidden:
            return True
        except ApiError:
            return False
        return False

    async def _may(self, namespace: str, verb: str, group: str, resource: str) -> bool:
        plural, _, subresource = resource.partition("/")
        asked = {"namespace": namespace, "verb": verb, "group": group, "resource": plural, "subresource": subresource}
        body: Json = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "metadata": {},
            "spec": {"resourceAttributes": asked},
        }
        return bool((await self.client.create(REVIEWS.path(), body))["status"]["allowed"])

    async def _events(self, namespace: str, name: str) -> tuple[list[KubeEvent], str]:
        try:
            found = await self.client.list(EVENTS.path(namespace), {"fieldSelector": f"involvedObject.name={name}"})
        except ApiError as error:
            return [], f"its events cannot be read: {error.message or error}"
        events = [event_of(item) for item in found["items"]]
        return sorted(events, key=lambda event: event.last or 0, reverse=True), ""

    async def _for_a_while(self, name: str, ask: Callable[[], Awaitable[T]]) -> T:
        """An answer that is asked for again after a while."""
        now = asyncio.get_running_loop().time()
        kept = self._kept.get(name)
        if kept is None or kept.until < now:
            kept = self._kept[name] = _Kept(await ask(), now + LIFE)
        value: T = kept.value
        return value


def _row(resource: Json) -> RunRow:
    return run_row(Run(str(resource["metadata"]["name"]), resource))

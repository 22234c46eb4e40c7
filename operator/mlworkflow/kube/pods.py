"""The driver that runs attempts as Pods. A step costs one create; what exists is known from a watch alone."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from msgspec import UNSET

from mlworkflow.core import names
from mlworkflow.core.actions import Order
from mlworkflow.core.cachefacts import Identity
from mlworkflow.core.observation import Attempt, AttemptId, Seen
from mlworkflow.core.pods import MAIN, PodSettings, step_pod
from mlworkflow.core.riders import Part, named, part
from mlworkflow.engine import logs
from mlworkflow.engine.driver import ContainerEnd, Found, NotNow, Refused
from mlworkflow.kube.client import KubeClient, log_params
from mlworkflow.kube.errors import AlreadyExists, ApiError, NotFound
from mlworkflow.kube.images import Images
from mlworkflow.kube.objects import Json, namespaced_name
from mlworkflow.kube.paths import PODS
from mlworkflow.kube.podview import PodView, pod_view
from mlworkflow.kube.reflector import Reflector, ReflectorStatistics
from mlworkflow.kube.refusals import refusal
from mlworkflow.kube.streams import only
from mlworkflow.store.layout import AttemptKey

LOG_BYTES = 4 << 20
LAST_LINES, LAST_BYTES = 1000, 1 << 20
"""Of a longer log, what is kept of its end."""
_NO_NODE = (500, 502)
"""What the API server answers for a node that it cannot reach."""


class PodDriver:
    """Implements the engine's `Driver`. `on_change(uid, attempt)` is called when something happened to a workflow's Pod, `on_leaving(key, handle)` when the
    end is asked for of one whose container runs; `clock` is the engine's.

    `home(uid)` is the namespace of a workflow, None while it is not known. A Pod is no attempt of a workflow of another namespace, whatever its
    labels, annotations and owners say: whoever may make Pods in one namespace must not speak for the steps of another. `authorities` are
    what steps trust now, as PEM.
    """

    def __init__(
        self,
        client: KubeClient,
        settings: PodSettings,
        namespaces: Sequence[str],
        on_change: Callable[[str, AttemptId], None],
        home: Callable[[str], str | None],
        clock: Callable[[], float] = time.time,
        on_leaving: Callable[[AttemptKey, str], None] = lambda key, handle: None,
        images: Images | None = None,
        authorities: Callable[[], str] = lambda: "",
    ) -> None:
        self._authorities = authorities
        self._home = home
        self._on_leaving = on_leaving
        self._client = client
        self._settings = settings
        self._on_change = on_change
        self._clock = clock
        self._attempts: dict[tuple[str, str], dict[AttemptId, PodView]] = {}
        self._seen: dict[tuple[str, str], dict[AttemptId, Attempt]] = {}  # the same, as the engine sees it
        self._images = images or Images(settings.pull_policy)
        selector = {"labelSelector": f"{names.LABEL_MANAGED_BY}={names.FIELD_MANAGER}"}
        self._reflectors = {
            namespace: Reflector(
                client, PODS.path(namespace or None), project=self._view, on_change=self._changed, params=selector
            )
            for namespace in namespaces or [""]
        }

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors.values():
                group.create_task(reflector.run())

    async def wait_synced(self) -> None:
        """Return when every Pod that exists is known."""
        for reflector in self._reflectors.values():
            await reflector.synced.wait()

    @property
    def is_synced(self) -> bool:
        return all(reflector.synced.is_set() for reflector in self._reflectors.values())

    keeps_logs_apart = True

    def watches(self) -> list[ReflectorStatistics]:
        """Of each namespace that is watched by itself."""
        return [reflector.statistics() for reflector in self._reflectors.values()]

    def age(self) -> float:
        """Seconds since the stalest watch last gave a sign of life."""
        return max(reflector.age() for reflector in self._reflectors.values())

    def attempts(self, uid: str) -> Mapping[AttemptId, Attempt]:
        return self._seen.get((self._home(uid) or "", uid), {})

    def container_end(self, uid: str, attempt: AttemptId) -> ContainerEnd | None:
        view = self._mine(uid).get(attempt)
        return view.end if view else None

    def identify(self, namespace: str, pod: str, pod_uid: str, rider: str = "") -> tuple[str, AttemptId] | None:
        view = self._reflector(namespace).get(f"{namespace}/{pod}")
        if view is None or view.uid != pod_uid or self._home(view.workflow) not in (namespace, None):
            return None
        if not rider and not view.riders:
            return view.workflow, (view.attempt.task, view.attempt.number)
        mine = (attempt for attempt in view.attempts if named(attempt.task, attempt.number) == rider)
        return next(((view.workflow, (attempt.task, attempt.number)) for attempt in mine), None)

    async def identity(self, order: Order) -> Identity:
        built_in = bool(order.step.kind.command)
        image = order.image or (self._settings.steps_image if built_in else "")
        variables = {variable.get("name") for variable in order.env}
        kind, allowed = order.step.kind, bool(self._settings.allowed_imports)
        is_open = kind.is_open(order.step.body) or allowed or "MLWF_ALLOWED_IMPORTS" in variables
        given = order.step.common.image_pull_secrets
        secrets = [] if given is UNSET else [secret["name"] for secret in given if "name" in secret]
        meaning = await self._images.meaning(image, order.namespace, secrets)
        unknown = "" if meaning.digest else f"the digest of the image {image} is not known: {meaning.why}"
        return Identity(image=meaning.digest, is_open=is_open, unknown=unknown)

    def image_digest(self, uid: str, attempt: AttemptId) -> str | None:
        view = self._mine(uid).get(attempt)
        return (view.image_digest or None) if view else None

    def command(self, order: Order) -> tuple[str, ...]:
        return order.command

    async def start(self, order: Order, *others: Order) -> None:
        pod = step_pod(order, replace(self._settings, authorities=self._authorities()), others)
        if not all(container.get("image") for container in pod["spec"]["containers"]):
            raise Refused("the step has no image: name one in the step, in its container, or in spec.defaults")
        try:
            created = await self._create(order, pod)
        except ApiError as error:
            raise refusal(error) from None
        self._reflector(order.namespace).insert(created)

    async def _create(self, order: Order, pod: Json) -> Json:
        """The Pod, created now or before."""
        name = pod["metadata"]["name"]
        try:
            return await self._client.create(PODS.path(order.namespace), pod)
        except AlreadyExists:
            try:
                existing = await self._client.get(PODS.path(order.namespace, name))
            except NotFound:
                raise NotNow(f"the Pod {name} existed, and was deleted at the same moment") from None
        view = pod_view(existing)
        if view is None or view.workflow != order.uid:
            raise Refused(f"a Pod named {name} exists that is not ours")
        return existing

    async def stop(self, namespace: str, uid: str, attempt: AttemptId, handle: str, grace: int | None = None) -> None:
        try:
            await self._client.delete(PODS.path(namespace, handle), grace_period=grace)
        except NotFound:
            return

    async def find(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> Found:
        try:
            pod: Json = await self._client.get(PODS.path(namespace, handle))
        except NotFound:
            return Found(exists=False)
        self._reflector(namespace).insert(pod)
        view = pod_view(pod)
        if view is None or view.workflow != uid:
            return Found(exists=False)
        return Found(
            exists=True, log=await self.log(namespace, uid, attempt, handle) if view.attempt.seen is Seen.ENDED else b""
        )

    async def log(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> bytes:
        log = await self._log(namespace, handle)
        return part(log, named(*attempt)) if self._is_shared(namespace, handle) else log

    def _is_shared(self, namespace: str, handle: str) -> bool:
        view = self._reflector(namespace).get(f"{namespace}/{handle}")
        return view is not None and bool(view.riders)

    async def _log(self, namespace: str, handle: str) -> bytes:
        try:
            log = await self._client.read_log(namespace, handle, container=MAIN, limit_bytes=LOG_BYTES + 1)
            if len(log) <= LOG_BYTES:
                return log
            end = await self._client.read_log(
                namespace, handle, container=MAIN, tail_lines=LAST_LINES, limit_bytes=LAST_BYTES
            )
            return logs.first(log, LOG_BYTES) + end
        except ApiError as error:
            # The container never started or the Pod is gone; or the node, which nobody else can ask, cannot be reached. The end of a step does not
            # wait for its last words.
            if 400 <= error.status < 500 or error.status in _NO_NODE:
                return b""
            raise

    async def follow(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> AsyncGenerator[bytes, None]:
        path = PODS.path(namespace, handle, "log")
        own = Part(named(*attempt)) if self._is_shared(namespace, handle) else None
        try:
            async with aclosing(only(own, self._client.stream(path, log_params(MAIN, follow=True)))) as pieces:
                async for piece in pieces:
                    yield piece
        except NotFound:  # it is gone, and so is its log
            return

    def _mine(self, uid: str) -> Mapping[AttemptId, PodView]:
        return self._attempts.get((self._home(uid) or "", uid), {})

    async def last_log(self, namespace: str, attempt: AttemptId, handle: str) -> bytes:
        """As `log`, of a Pod that is told to end, once its container has ended."""
        log = logs.Both(LOG_BYTES, LAST_BYTES)
        try:
            async with aclosing(self.follow(namespace, "", attempt, handle)) as pieces:
                async for piece in pieces:
                    log.add(piece)
        except ApiError:  # the container never started, or its node is gone: what has come by then is what there is
            pass
        return log.bytes()

    def _reflector(self, namespace: str) -> Reflector[PodView]:
        return self._reflectors.get(namespace) or next(iter(self._reflectors.values()))

    def _view(self, pod: Json) -> PodView | None:
        known = self._reflector(pod["metadata"]["namespace"]).get(namespaced_name(pod))
        return pod_view(pod, self._clock(), known)

    def _changed(self, key: str, old: PodView | None, new: PodView | None) -> None:
        if old and (new is None or new.uid != old.uid):
            at = (old.namespace, old.workflow)
            for known in (self._attempts, self._seen):
                mine = known.get(at, {})
                for attempt in old.attempts:
                    mine.pop((attempt.task, attempt.number), None)
                if not mine:
                    known.pop(at, None)
        if new:
            self._images.report(new.image, new.image_digest)
            at = (new.namespace, new.workflow)
            was_leaving = old is not None and old.uid == new.uid and old.attempt.leaving
            is_cut_short = _is_cut_short(new) and not was_leaving
            for attempt in new.attempts:
                own = (attempt.task, attempt.number)
                self._attempts.setdefault(at, {})[own] = new
                self._seen.setdefault(at, {})[own] = attempt
                if is_cut_short:
                    self._on_leaving(AttemptKey(*at, *own), new.name)
        views = [view for view in (old, new) if view]
        for uid, own in {(view.workflow, (one.task, one.number)) for view in views for one in view.attempts}:
            self._on_change(uid, own)


def _is_cut_short(view: PodView) -> bool:
    """Whether the end of a Pod is asked for in which the step's own container has begun and not all has ended."""
    attempt = view.attempt
    has_begun = attempt.running_since is not None or view.end is not None
    return attempt.leaving and has_begun and attempt.seen is not Seen.ENDED

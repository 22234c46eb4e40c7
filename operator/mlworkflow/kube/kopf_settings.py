"""The settings that reduce kopf to what we want of it: the life of the process, the login, and the events of workflows.

Used by `__main__` and `handlers`. With these settings no handler may be anything but `on.event`, `on.startup`,
`on.cleanup`, `on.login` and `on.probe`: change handlers would never see a change, timers and daemons would write.
"""

import gc
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator

import kopf

from mlworkflow.kube.client import KubeClient

FINALIZER = "mlworkflow.io/finalizer"


class NoDiffBase(kopf.DiffBaseStorage):
    """Remembers nothing of an object; the default copies it at every event and writes into its annotations."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[kopf.FieldSpec] | None = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        pass


class NoProgress(kopf.ProgressStorage):
    """Remembers nothing of handlers; `on.event` handlers have no progress."""

    def fetch(self, *, key: kopf.HandlerId, body: kopf.Body) -> kopf.ProgressRecord | None:
        return None

    def store(self, *, key: kopf.HandlerId, record: kopf.ProgressRecord, body: kopf.Body, patch: kopf.Patch) -> None:
        pass

    def purge(self, *, key: kopf.HandlerId, body: kopf.Body, patch: kopf.Patch) -> None:
        pass

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        pass

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class Patience:
    """Pauses between the tries of a request, without end: kopf would give up after a minute, and take the process with it."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((0.5, 1.0, 2.0, 5.0), itertools.repeat(10.0))


def configure(settings: kopf.OperatorSettings) -> None:
    """Set everything; call it in `on.startup`."""
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.finalizer = FINALIZER  # never set by us, only removed should one be left over
    settings.scanning.disabled = True  # no watching of CRDs and namespaces, so no rights to do it
    settings.posting.enabled = False
    settings.peering.standalone = True  # the Deployment has one replica
    settings.watching.chunk_size = 500
    settings.queueing.idle_timeout = 2.0
    settings.networking.request_timeout = 30.0
    settings.networking.error_backoffs = Patience()
    # One line per event and handler at INFO would drown the lines about decisions.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)


def login_with(client: KubeClient) -> Callable[..., Awaitable[kopf.AiohttpSession]]:
    """A handler for `kopf.on.login()` that lets kopf use the client's connections and credentials.

    Each login gives a session of its own, because kopf closes what it was given when it has been refused, and at the
    end.
    """

    async def login(**_: object) -> kopf.AiohttpSession:
        config = client.config
        return kopf.AiohttpSession(
            server=config.server, aiohttp_session=client.session(), default_namespace=config.namespace
        )

    return login


def tune_garbage_collector() -> None:
    """Stop the collector from walking the caches again and again; call it once they are filled.

    With thousands of live objects the default thresholds cost a quarter of all the CPU time, measured.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)

"""kopf itself, with our settings and our connections, on a fake API server: it delivers events and writes nothing."""

import asyncio
import gc
import logging
import threading
from typing import Any

import kopf
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.config import ClusterConfig
from mlworkflow.kube.kopf_settings import configure, login_with, tune_garbage_collector

from tests.component.kube.fake_api import FakeApi, until

VERBS = ["get", "list", "watch", "patch"]
DISCOVERY: dict[str, dict[str, Any]] = {
    "/api": {"versions": ["v1"]},
    "/apis": {"groups": [], "kind": "APIGroupList"},
    "/api/v1": {
        "resources": [
            {"name": "pods", "kind": "Pod", "singularName": "pod", "namespaced": True, "verbs": VERBS},
            {
                "name": "namespaces",
                "kind": "Namespace",
                "singularName": "namespace",
                "namespaced": False,
                "verbs": VERBS,
            },
        ]
    },
}


async def test_kopf_delivers_events_and_writes_nothing() -> None:
    api = FakeApi()
    api.documents = DISCOVERY
    api.put("before")
    registry, settings, stop = kopf.OperatorRegistry(), kopf.OperatorSettings(), threading.Event()
    events: list[tuple[str | None, str | None]] = []
    configure(settings)

    async def on_pod(type: str | None, name: str | None, **_: Any) -> None:
        events.append((type, name))

    async def operate(config: ClusterConfig) -> None:
        async with KubeClient(config) as client:
            kopf.on.login(registry=registry)(login_with(client))
            await kopf.operator(
                registry=registry, settings=settings, namespaces=["ns"], standalone=True, stop_flag=stop
            )

    kopf.on.event("v1", "pods", registry=registry)(on_pod)
    async with api.served() as config:
        # In a thread, because kopf at its end waits for every other task of its loop, then cancels it: our server too.
        operator = asyncio.create_task(asyncio.to_thread(asyncio.run, operate(config)))
        await until(lambda: api.watches or operator.done())
        api.put("after")
        await until(lambda: ("ADDED", "after") in events or operator.done())
        stop.set()
        await operator
    assert events == [(None, "before"), ("ADDED", "after")]
    assert {kind for kind, _ in api.seen} == {"get", "list", "watch"}
    assert api.requests("list")[0].query["limit"] == "500"
    assert api.seen[0][1].headers["User-Agent"] == "mlworkflow"


def test_the_noise_of_handlers_is_off() -> None:
    configure(kopf.OperatorSettings())
    assert logging.getLogger("kopf.objects").level == logging.WARNING


def test_the_collector_leaves_the_caches_alone() -> None:
    thresholds = gc.get_threshold()
    try:
        tune_garbage_collector()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == 100_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)

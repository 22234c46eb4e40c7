"""The only kopf decorators: kopf brings the events of MLWorkflows, and nothing else."""

from __future__ import annotations

from typing import Any

import kopf

from mlworkflow.core import names
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.kopf_settings import configure, login_with
from mlworkflow.kube.reconciler import Reconciler


def registry(client: KubeClient, reconciler: Reconciler) -> kopf.OperatorRegistry:
    """The handlers of one operator."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)

    kopf.on.login(registry=handlers)(login_with(client))

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=handlers)
    async def workflow(event: kopf.RawEvent, **_: Any) -> None:
        reconciler.observe(event["type"], dict(event["object"]))

    return handlers

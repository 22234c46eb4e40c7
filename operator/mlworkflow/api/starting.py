"""Runs are begun here: on this machine as a process of its own, in a cluster by creating the resource."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mlworkflow.api import loop
from mlworkflow.api.run import Run
from mlworkflow.local.detached import start
from mlworkflow.runs.cluster import connected
from mlworkflow.runs.places import Place
from mlworkflow.runs.run import Run as Known


def run_here(resource: Mapping[str, Any], place: Place) -> Run:
    """Begin a sound resource on this machine. Raises SpecError, RunsError."""
    metadata = dict(resource["metadata"])
    metadata.setdefault("name", str(metadata.pop("generateName", "")).rstrip("-."))
    home = place.find_home(os.environ).absolute()
    begun = start(home, {**resource, "metadata": metadata})
    return Run(Place(home=home), Known(begun.id, begun.resource))


def submit(resource: Mapping[str, Any], place: Place) -> Run:
    """Create a sound resource in a cluster. Raises RunsError."""
    namespace = place.namespace or (resource["metadata"].get("namespace"))
    at = Place(context=place.context, kubeconfig=place.kubeconfig, namespace=namespace)

    async def create() -> tuple[Known, str]:
        async with connected(at, at.flags({})) as runs:
            return await runs.submit(resource), runs.namespace

    made, found = loop.call(create())
    return Run(Place(context=at.context, kubeconfig=at.kubeconfig, namespace=found), made)

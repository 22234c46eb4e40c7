"""What a resource says of the time after its end, read as it is written: a workflow that has ended is not parsed again for it.

A field that cannot be understood asks for nothing: what is kept too long can still be deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from mlworkflow.core.duration import seconds
from mlworkflow.core.spec_fields import PodCleanup, Ttl
from mlworkflow.core.state import Phase
from mlworkflow.core.status import moment
from mlworkflow.core.values import Duration
from mlworkflow.kube.objects import Json


def is_finished(status: Mapping[str, Any]) -> bool:
    """Whether a status says that its workflow has ended."""
    return Phase(status.get("phase") or Phase.PENDING).is_finished


def delete_at(resource: Json) -> float | None:
    """When a workflow that has ended is to be deleted, in seconds since the epoch; None for never."""
    status = resource.get("status") or {}
    ended = moment(status.get("finishedAt") or "")
    if ended is None or not is_finished(status):
        return None
    try:
        ttl = Ttl.of(
            msgspec.convert((resource.get("spec") or {}).get("ttl", UNSET), Ttl | Duration | msgspec.UnsetType)
        )
    except msgspec.ValidationError:
        return None
    if ttl is None:
        return None
    span = ttl.succeeded if status["phase"] == Phase.SUCCEEDED else ttl.failed
    return None if span is UNSET else ended + seconds(span)


def pod_cleanup(resource: Json) -> PodCleanup:
    """`spec.podCleanup`."""
    try:
        found: PodCleanup = msgspec.convert((resource.get("spec") or {}).get("podCleanup", "Never"), PodCleanup)
    except msgspec.ValidationError:
        return "Never"
    return found

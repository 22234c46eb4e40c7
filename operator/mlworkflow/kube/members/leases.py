"""A member as a Lease says it, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlworkflow.core import names
from mlworkflow.kube.members.membership import Sighting, Terms
from mlworkflow.kube.objects import Json

LABEL = f"{names.GROUP}/members"
VIEW, SCHEME, ADDRESS = (f"{names.GROUP}/{word}" for word in ("view", "scheme", "gateway"))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a member is: `name` is that of its Pod and its Lease, `holder` another for each of its processes, `group` the same for all members,
    `address` the URL of its gateway, `pod_uid` that of the Pod which its Lease goes with, if any."""

    name: str
    holder: str
    namespace: str
    group: str
    address: str
    pod_uid: str = ""


def lease(me: Identity, scheme: str, since: str, view: frozenset[str], now: float, terms: Terms) -> Json:
    """The Lease of a member that acts by `view`, to create or to merge. People read its times; members do not."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": me.name, "uid": me.pod_uid}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": me.name,
            "namespace": me.namespace,
            "labels": {LABEL: me.group, "app.kubernetes.io/part-of": "mlworkflow"},
            "annotations": {VIEW: ",".join(sorted(view)), SCHEME: scheme, ADDRESS: me.address},
            **({"ownerReferences": [owner]} if me.pod_uid else {}),
        },
        "spec": {
            "holderIdentity": me.holder,
            "leaseDurationSeconds": int(terms.duration),
            "acquireTime": since,
            "renewTime": micro(now),
        },
    }


def sighting(lease: Mapping[str, Any]) -> Sighting:
    """What a Lease says of its member."""
    metadata, spec = lease["metadata"], lease.get("spec") or {}
    said = metadata.get("annotations") or {}
    return Sighting(
        name=metadata["name"],
        version=metadata["resourceVersion"],
        scheme=said.get(SCHEME, ""),
        since=spec.get("acquireTime") or "",
        view=frozenset(name for name in said.get(VIEW, "").split(",") if name),
        address=said.get(ADDRESS, ""),
        is_here=bool(spec.get("holderIdentity")),
    )


def micro(now: float) -> str:
    """A moment as the API's MicroTime."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

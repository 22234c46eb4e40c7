"""Which workflows are this operator's: all of them where it is alone, else those whose shard it owns.

What must be known of several workflows at once is in one shard, so that one member decides about all of it: a namespace whose Pods are limited, or
whose workflows have locks, is one; where all Pods together are limited, everything is. Any other workflow is a shard of its own.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

import orjson

from mlworkflow.engine.sharing import NO_LIMITS, Limits
from mlworkflow.kube.members.member import Member
from mlworkflow.kube.objects import Json

EVERYTHING = "*"
GARBAGE = "duty/garbage"


class Assignment(Protocol):
    """`is_shared`: others may own what this one does not."""

    is_shared: bool

    def note(self, resource: Json) -> None:
        """A workflow is known in this generation."""

    def forget(self, uid: str) -> None: ...

    def owns(self, uid: str) -> bool:
        """Whether a workflow that was noted is this operator's now."""

    def standing(self) -> object:
        """Another one whenever what is owned may be other than before."""


class Alone:
    """Everything is this operator's."""

    is_shared = False

    def note(self, resource: Json) -> None:
        return

    def forget(self, uid: str) -> None:
        return

    def owns(self, uid: str) -> bool:
        return True

    def standing(self) -> object:
        return None


class Shared:
    """What a member owns."""

    is_shared = True

    def __init__(self, member: Member, limits: Limits = NO_LIMITS) -> None:
        self._member, self._limits = member, limits
        self._shards: dict[str, tuple[int, str]] = {}  # uid → generation and shard

    def note(self, resource: Json) -> None:
        metadata = resource["metadata"]
        uid, generation = metadata["uid"], int(metadata.get("generation") or 0)
        known = self._shards.get(uid)
        if known is None or known[0] != generation:
            self._shards[uid] = generation, shard(resource, self._limits)

    def forget(self, uid: str) -> None:
        self._shards.pop(uid, None)

    def owns(self, uid: str) -> bool:
        known = self._shards.get(uid)
        return known is not None and self._member.owns(known[1])

    def standing(self) -> object:
        membership = self._member.membership
        return (
            membership.lapses,
            membership.acts_by,
            membership.view,
            frozenset((it.name, it.view) for it in membership.live),
        )

    def elsewhere(self, uid: str) -> str | None:
        """The address of the gateway of the member that owns a workflow, as far as is known; empty for nobody yet, None for this one."""
        known = self._shards.get(uid)
        if known is None:
            return ""
        return None if self._member.owns(known[1]) else self._member.membership.believed(known[1])


def shard(resource: Json, limits: Limits) -> str:
    """What a workflow is part of."""
    namespace = resource["metadata"]["namespace"]
    if limits.total is not None:
        return EVERYTHING
    if limits.of(namespace) is not None or b'"locks":' in orjson.dumps(resource.get("spec")):
        return f"namespace/{namespace}"
    return str(resource["metadata"]["uid"])


def scheme(limits: Limits, salt: str = "1") -> str:
    """What members must agree on to find the same shards; `salt` changes with the rules of this module."""
    said = (salt, limits.total, limits.namespace, sorted(limits.namespaces.items()))
    return hashlib.sha256(repr(said).encode()).hexdigest()[:12]

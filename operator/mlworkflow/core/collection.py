"""Collections: what the items of a fan-out left, in their order, as one artifact. Pure.

A collection is stored as its manifest, canonical JSON (sorted keys, no spaces, UTF-8): equal collections are equal bytes. The operator
alone writes manifests; the gateway and the agent read them (docs/step-contract.md, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, json

from mlworkflow.core.values import ArtifactRef, Json

TYPE = "collection"


class Member(Struct, frozen=True):
    """What one item left: `artifact` is None where it left none; `item` is the item itself, `phase` how its task ended."""

    artifact: ArtifactRef | None
    item: Json
    phase: str


class Manifest(Struct, frozen=True):
    """A collection. A member may be a collection itself."""

    items: tuple[Member, ...]


def paths(members: Sequence[Member]) -> list[str | None]:
    """What each member is called where a collection is a directory: its index, all equally wide; None where there is none."""
    width = max(4, len(str(len(members) - 1)))
    return [None if member.artifact is None else f"{n:0{width}d}" for n, member in enumerate(members)]


def index(members: Sequence[Member]) -> bytes:
    """What ``index.json`` of such a directory holds."""
    return json.encode(
        [
            {"index": n, "item": member.item, "phase": member.phase, "path": path}
            for n, (member, path) in enumerate(zip(members, paths(members), strict=True))
        ]
    )


def encode(items: Sequence[Member]) -> bytes:
    """The bytes of a collection."""
    return json.encode(Manifest(tuple(items)), order="sorted")


def decode(data: bytes) -> tuple[Member, ...]:
    """The members of a collection; raises `msgspec.DecodeError`."""
    return json.decode(data, type=Manifest).items

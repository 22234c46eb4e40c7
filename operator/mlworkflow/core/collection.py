"""A collection: the artifacts of many tasks as one, by a manifest of references. Same members, same bytes, same digest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlworkflow.core.values import ArtifactRef, Json


class Item(msgspec.Struct, frozen=True):
    """One member: the item it belongs to, how that ended, and what it left, if anything."""

    item: Json
    phase: str
    artifact: ArtifactRef | None = None


class Manifest(msgspec.Struct, frozen=True):
    """The members in order."""

    items: list[Item]


def encode(items: Sequence[Item]) -> bytes:
    """The manifest as canonical JSON."""
    return msgspec.json.encode(Manifest(list(items)), order="sorted")


def decode(data: bytes) -> list[Item]:
    """The members of a manifest. Raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return msgspec.json.decode(data, type=Manifest).items

"""What a collection gives access to: the digests of its members, and of theirs.

Manifests are read from the store, verified, and their members remembered for a while: many steps may read one collection, each of
them in batches.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Collection

import msgspec

from mlworkflow.core import collection
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway.errors import Invalid
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import cas_key

REMEMBERED = 200_000
"""Digests remembered over all collections: about 25 MB."""
LARGEST_MANIFEST = 64 << 20


class Closures:
    """The members of collections, remembered by the digest of their manifests; `room` is how many digests are remembered."""

    def __init__(self, store: ArtifactStore, room: int = REMEMBERED) -> None:
        self._store = store
        self._room = room
        self._known: OrderedDict[tuple[str, str], asyncio.Task[frozenset[bytes]]] = OrderedDict()

    async def foreign(self, namespace: str, manifest: ArtifactRef, digests: Collection[str]) -> str | None:
        """The first of `digests` that is no member of a collection, however deep; None if all are.

        Raises `Invalid` where the manifest is not what its digest says, `StoreError`.
        """
        members = await self._members(namespace, manifest)
        return next((digest for digest in digests if _packed(digest) not in members), None)

    async def _members(self, namespace: str, manifest: ArtifactRef) -> frozenset[bytes]:
        """Read once, however many ask at the same time."""
        at = (namespace, manifest.digest)
        if at not in self._known:
            self._known[at] = asyncio.create_task(asyncio.to_thread(self._read, namespace, manifest))
        self._known.move_to_end(at)
        reading = self._known[at]
        try:
            members = await asyncio.shield(reading)
        except BaseException:
            if reading.done() and self._known.get(at) is reading:
                del self._known[at]
            raise
        self._forget_oldest()
        return members

    def _forget_oldest(self) -> None:
        sizes = {
            at: len(reading.result()) + 1
            for at, reading in self._known.items()
            if reading.done() and not reading.cancelled() and reading.exception() is None
        }
        total = sum(sizes.values())
        for at in list(sizes)[:-1]:
            if total <= self._room:
                break
            total -= sizes[at]
            del self._known[at]

    def _read(self, namespace: str, manifest: ArtifactRef) -> frozenset[bytes]:
        found: set[bytes] = set()
        pending, seen = [manifest], {manifest.digest}
        while pending:
            for member in self._manifest(namespace, pending.pop()):
                if (artifact := member.artifact) is None:
                    continue
                found.add(_packed(artifact.digest))
                if artifact.type == collection.TYPE and artifact.digest not in seen:
                    seen.add(artifact.digest)
                    pending.append(artifact)
        return frozenset(found)

    def _manifest(self, namespace: str, manifest: ArtifactRef) -> tuple[collection.Member, ...]:
        if manifest.size > LARGEST_MANIFEST:
            raise Invalid(f"the collection {manifest.digest} has a manifest of more than {LARGEST_MANIFEST} bytes")
        data = self._store.read_bytes(cas_key(namespace, manifest.digest))
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != manifest.digest:
            raise Invalid(f"the store's bytes do not have the digest {manifest.digest}")
        try:
            return collection.decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Invalid(f"{manifest.digest} is no collection: {error}") from None


def _packed(digest: str) -> bytes:
    """A digest in the least memory; empty, which no set holds, for a text that is none."""
    try:
        return bytes.fromhex(digest.removeprefix("sha256:")) if len(digest) == 71 else b""
    except ValueError:
        return b""

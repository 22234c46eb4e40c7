"""Whose bytes a collection gives access to: its members', and nobody else's."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter

import pytest
from mlworkflow.core.collection import Member, encode
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._collections import Closures
from mlworkflow.gateway.errors import Invalid
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.errors import NotFound
from mlworkflow.store.layout import cas_key
from mlworkflow.store.signing import BlobSigner


class CountingStore(DirectoryStore):
    """Counts what is read."""

    reads: Counter[str]

    def read_bytes(self, key: str) -> bytes:
        self.reads[key] += 1
        return super().read_bytes(key)


@pytest.fixture
def store(directory_store: DirectoryStore, signer: BlobSigner) -> CountingStore:
    made = CountingStore(directory_store.path("x").parent, signer)
    made.reads = Counter()
    return made


def a_file(number: int) -> ArtifactRef:
    return ArtifactRef(f"sha256:{number:064x}", 1, "file")


def put(store: DirectoryStore, data: bytes, kind: str = "collection") -> ArtifactRef:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    store.write_bytes(cas_key("ml", digest), data)
    return ArtifactRef(digest, len(data), kind)


def a_collection(store: DirectoryStore, *members: ArtifactRef | None) -> ArtifactRef:
    return put(store, encode([Member(member, {"n": n}, "Succeeded") for n, member in enumerate(members)]))


async def test_members_and_members_of_members_and_nothing_else(store: CountingStore) -> None:
    inner = a_collection(store, a_file(1), None, a_file(2))
    outer = a_collection(store, inner, a_file(3), inner)
    closures = Closures(store)
    inside = [a_file(n).digest for n in (1, 2, 3)]
    assert await closures.foreign("ml", outer, [*inside, inner.digest]) is None
    assert await closures.foreign("ml", inner, [*inside]) == a_file(3).digest
    for stranger in (
        outer.digest,
        a_file(4).digest,
        "",
        "sha256:" + "zz" * 32,
        a_file(1).digest[7:],
        a_file(1).digest + "00",
    ):
        assert await closures.foreign("ml", outer, [inside[0], stranger]) == stranger
    assert store.reads == {cas_key("ml", outer.digest): 1, cas_key("ml", inner.digest): 2}


async def test_many_who_ask_at_once_cost_one_read(store: CountingStore) -> None:
    manifest = a_collection(store, a_file(1))
    closures = Closures(store)
    assert set(await asyncio.gather(*(closures.foreign("ml", manifest, []) for _ in range(20)))) == {None}
    assert list(store.reads.values()) == [1]


async def test_what_was_not_used_for_long_is_forgotten(store: CountingStore) -> None:
    manifests = [a_collection(store, *(a_file(100 * n + m) for m in range(10))) for n in range(4)]
    closures = Closures(store, room=25)
    for manifest in (manifests[0], manifests[1], manifests[0], manifests[2], manifests[3], manifests[2], manifests[0]):
        await closures.foreign("ml", manifest, [])
    assert [store.reads[cas_key("ml", manifest.digest)] for manifest in manifests] == [2, 1, 1, 1]


async def test_another_namespace_s_collection_is_not_there(store: CountingStore) -> None:
    manifest = a_collection(store, a_file(1))
    closures = Closures(store)
    assert await closures.foreign("ml", manifest, [a_file(1).digest]) is None
    with pytest.raises(NotFound):
        await closures.foreign("other", manifest, [a_file(1).digest])


async def test_a_manifest_that_is_not_what_its_digest_says(store: CountingStore) -> None:
    manifest = a_collection(store, a_file(1))
    store.write_bytes(cas_key("ml", manifest.digest), encode([Member(a_file(2), None, "Succeeded")]))
    closures = Closures(store)
    with pytest.raises(Invalid, match="do not have the digest"):
        await closures.foreign("ml", manifest, [a_file(2).digest])
    store.write_bytes(cas_key("ml", manifest.digest), encode([Member(a_file(1), {"n": 0}, "Succeeded")]))
    assert await closures.foreign("ml", manifest, [a_file(1).digest]) is None, "a failure is not remembered"


@pytest.mark.parametrize("data", [b"", b"[]", b'{"items": 3}', b"\xff", b"[" * 100_000, b'{"items":[{"item":1}]}'])
async def test_an_object_that_is_no_manifest(store: CountingStore, data: bytes) -> None:
    with pytest.raises(Invalid, match="is no collection"):
        await Closures(store).foreign("ml", put(store, data), [])

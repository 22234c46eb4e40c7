"""Artifacts onto this machine: whole and verified, or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mlworkflow.core.collection import Member, encode
from mlworkflow.core.values import ArtifactRef
from mlworkflow.runs.artifacts import Artifact
from mlworkflow.runs.download import download
from mlworkflow.runs.errors import RunsError
from mlworkflow_steps.agent import archive


class Blobs:
    """A store of a few bytes."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    def put(self, data: bytes, kind: str = "file") -> ArtifactRef:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.data[digest] = data
        return ArtifactRef(digest, len(data), kind)

    def collection(self, *members: ArtifactRef | None) -> ArtifactRef:
        return self.put(encode([Member(member, n, "Succeeded") for n, member in enumerate(members)]), "collection")

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        data = self.data[digest]
        for start in range(0, len(data), 100):
            yield data[start : start + 100]


@pytest.fixture
def blobs() -> Blobs:
    return Blobs()


def models(artifact: ArtifactRef) -> Artifact:
    return Artifact("fold", "models", artifact.type, artifact.size, artifact.digest)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_collection_becomes_a_directory_of_its_members(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "tree/deep").mkdir(parents=True)
    (tmp_path / "tree/deep/x").write_text("X")
    tree = blobs.put(b"".join(archive.pack(str(tmp_path / "tree"))), "directory")
    a = blobs.put(b"a" * 1000)
    outer = blobs.collection(a, None, blobs.collection(tree, a), a, tree, blobs.collection())
    target = await download(models(outer), blobs.read, str(tmp_path / "got"))
    assert target == tmp_path / "got"
    found = {str(path.relative_to(target)): path.read_text() for path in target.rglob("*") if path.is_file()}
    indexes = {name: json.loads(found.pop(name)) for name in list(found) if name.endswith("index.json")}
    assert found == {
        "0000": "a" * 1000, "0002/0000/deep/x": "X", "0002/0001": "a" * 1000, "0003": "a" * 1000, "0004/deep/x": "X",
    }  # fmt: skip
    assert [entry["path"] for entry in indexes["index.json"]] == ["0000", None, "0002", "0003", "0004", "0005"]
    assert (indexes.keys(), indexes["0005/index.json"]) == ({"index.json", "0002/index.json", "0005/index.json"}, [])
    assert names(tmp_path) == ["got", "tree"]


async def test_a_member_that_is_not_what_it_says_leaves_nothing_behind(blobs: Blobs, tmp_path: Path) -> None:
    bad = blobs.put(b"right")
    outer = blobs.collection(*(blobs.put(b"%d" % n) for n in range(30)), blobs.collection(bad))
    blobs.data[bad.digest] = b"wrong"
    with pytest.raises(RunsError, match=r"fold\.models/0030/0000 did not arrive as it was stored"):
        await download(models(outer), blobs.read, str(tmp_path / "got"))
    assert names(tmp_path) == []


async def test_what_is_no_collection(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(RunsError, match=r"fold\.models is no collection"):
        await download(models(blobs.put(b"{}", "collection")), blobs.read, str(tmp_path / "got"))


async def test_a_collection_replaces_nothing(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "got").touch()
    with pytest.raises(RunsError, match="exists already"):
        await download(models(blobs.collection()), blobs.read, str(tmp_path / "got"))


async def test_a_file_is_replaced_and_goes_into_a_directory_under_its_name(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("old")
    assert await download(models(blobs.put(b"new")), blobs.read, str(tmp_path)) == tmp_path / "models"
    assert (tmp_path / "models").read_text() == "new"

"""Collections as a step finds them: an index and the members, verified, in their order."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.core.collection import Member, encode
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import cas_key
from mlworkflow.store.signing import BlobSigner
from mlworkflow_steps.agent import archive

from tests.component.agent.conftest import Bench


def put(bench: Bench, data: bytes, kind: str = "file") -> ArtifactRef:
    left = bench.put(data)
    return ArtifactRef(left.digest, left.size, kind)


def a_folder(bench: Bench, tmp: Path, files: dict[str, str]) -> ArtifactRef:
    for name, text in files.items():
        (tmp / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp / name).write_text(text)
    return put(bench, b"".join(archive.pack(str(tmp))), "directory")


def a_collection(bench: Bench, *members: ArtifactRef | None, items: list[Any] | None = None) -> ArtifactRef:
    values = items or list(range(len(members)))
    phases = ["Failed" if member is None else "Succeeded" for member in members]
    return put(bench, encode([*map(Member, members, values, phases)]), "collection")


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_kind_of_member_in_its_place(
    make_bench: Callable[[ArtifactStore], Bench], store: ArtifactStore, tmp_path: Path
) -> None:
    bench = make_bench(store)
    a, b = put(bench, b"a"), put(bench, b"b")
    tree = a_folder(bench, tmp_path / "tree", {"x": "X", "deep/y": "Y"})
    inner = a_collection(bench, b, tree)
    items = [{"lr": 0.1, "name": 'ü🙂"'}, None, [1], "s", 4, 5, 6]
    outer = a_collection(bench, a, None, tree, inner, a, a_collection(bench), inner, items=items)
    code, result, _, err = bench.run(bench.task("true", inputs={"models": outer}))
    assert code == 0, err + result.message
    folder = bench.folder / "root/in/models"
    index = json.loads((folder / "index.json").read_text())
    assert index == [
        {"index": n, "item": item, "phase": "Failed" if n == 1 else "Succeeded", "path": None if n == 1 else f"{n:04d}"}
        for n, item in enumerate(items)
    ]
    found = contents(folder)
    indexes = {name: json.loads(found.pop(name)) for name in list(found) if name.endswith("index.json")}
    assert found == {
        "0000": "a", "0002/x": "X", "0002/deep/y": "Y", "0003/0000": "b", "0003/0001/x": "X", "0003/0001/deep/y": "Y",
        "0004": "a", "0006/0000": "b", "0006/0001/x": "X", "0006/0001/deep/y": "Y",
    }  # fmt: skip
    assert indexes.keys() == {"index.json", "0003/index.json", "0005/index.json", "0006/index.json"}
    assert indexes["0005/index.json"] == []
    assert [entry["path"] for entry in indexes["0003/index.json"]] == ["0000", "0001"]
    assert not any(path.name.endswith(".part") for path in folder.rglob("*"))
    (folder / "0000").write_text("spoilt")
    assert (folder / "0004").read_text() == "a", "a step may write to its inputs by mistake"


class CountingStore(DirectoryStore):
    """Counts the URLs that were made, by object."""

    signed: Counter[str]

    def sign_get(self, key: str, expires: float) -> str:
        self.signed[key] += 1
        return super().sign_get(key, expires)


@pytest.fixture
def counting(
    make_bench: Callable[[ArtifactStore], Bench], tmp_path: Path, signer: BlobSigner
) -> tuple[Bench, Counter[str]]:
    store = CountingStore(tmp_path / "store", signer)
    store.signed = Counter()
    return make_bench(store), store.signed


def test_many_members_are_asked_for_in_batches_and_equal_ones_fetched_once(
    counting: tuple[Bench, Counter[str]],
) -> None:
    bench, signed = counting
    members = [put(bench, b"%d" % (n % 700)) for n in range(1400)]
    code, _, out, err = bench.run(bench.task("ls $MLWF_IN/all | wc -l", inputs={"all": a_collection(bench, *members)}))
    assert (code, out.strip()) == (0, "1401"), err
    folder = bench.folder / "root/in/all"
    assert [(folder / f"{n:04d}").read_text() for n in range(1400)] == [str(n % 700) for n in range(1400)]
    assert signed.total() == 701, "one for each object, the manifest among them"


def test_the_names_are_as_wide_as_the_last_needs(bench: Bench) -> None:
    one = put(bench, b"x")
    members = [one, *[None] * 9_999, one]
    bench.run(bench.task("true", inputs={"all": a_collection(bench, *members)}))
    assert sorted(os.listdir(bench.folder / "root/in/all")) == ["00000", "10000", "index.json"]


def test_an_empty_collection_is_a_folder_with_an_empty_index(bench: Bench) -> None:
    bench.run(bench.task("true", inputs={"all": a_collection(bench)}))
    assert contents(bench.folder / "root/in/all") == {"index.json": "[]"}


def test_fetch_makes_members_readable_for_every_user(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/secret").touch(mode=0o600)
    tree = a_folder(bench, tmp_path / "tree", {})
    outer = a_collection(bench, put(bench, b"a"), tree, a_collection(bench, tree))
    _, process = bench.start(bench.task("", inputs={"all": outer}), "fetch")
    assert process.communicate(timeout=20) == ("", "")
    for path in (bench.folder / "root/in/all").rglob("*"):
        assert path.stat().st_mode & 0o444 == 0o444, path
        assert path.is_file() or path.stat().st_mode & 0o555 == 0o555, path


def gone(bench: Bench) -> ArtifactRef:
    return ArtifactRef("sha256:" + "0" * 64, 3, "file")


def spoilt(bench: Bench) -> ArtifactRef:
    artifact = put(bench, b"right")
    bench.store.write_bytes(cas_key(bench.namespace, artifact.digest), b"wrong")
    return artifact


def leading_outside(bench: Bench) -> ArtifactRef:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../outside"))
    return put(bench, data.getvalue(), "directory")


@pytest.mark.parametrize(
    ("make", "reason", "words"),
    [
        (gone, "ArtifactMissing", "is not in the store any more"),
        (spoilt, "InputInvalid", "the store's bytes do not have the digest"),
        (leading_outside, "InputInvalid", "leads outside"),
        (lambda bench: put(bench, b"{}", "collection"), "StoreRefused", "is no collection"),
    ],
)
def test_a_member_that_cannot_be_had_is_named(
    bench: Bench, make: Callable[[Bench], ArtifactRef], reason: str, words: str
) -> None:
    good, bad = put(bench, b"good"), make(bench)
    outer = a_collection(bench, good, a_collection(bench, good, bad))
    _, result, _, _ = bench.run(bench.task("true", inputs={"all": outer}))
    assert result.reason == reason
    assert words in result.message
    if bad.type != "collection":  # of that one the gateway speaks
        assert "input 'all/0001/0001'" in result.message


def test_a_manifest_that_is_none(bench: Bench) -> None:
    _, result, _, _ = bench.run(bench.task("true", inputs={"all": put(bench, b'{"items": [{}]}', "collection")}))
    assert (result.reason, result.message) == ("InputInvalid", "input 'all' is not the manifest of a collection")

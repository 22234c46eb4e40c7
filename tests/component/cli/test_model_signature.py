"""A model that was trained here verifies with the public tool, and does not where a byte of it has changed."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.attest.keys import BadSignature, SigningKey
from mlworkflow.attest.model import Unsignable, check, sign
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import cas_key

from tests.component.cli.conftest import ROOT, Shell


def tool(model: Path, signature: Path, key: Path) -> subprocess.CompletedProcess[str]:
    """`model_signing verify key`, as it is documented."""
    words = ["verify", "key", str(model), "--signature", str(signature), "--public_key", str(key)]
    return subprocess.run([sys.executable, "-m", "model_signing", *words], capture_output=True, text=True, timeout=60)


def archive(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return made.getvalue()


def reference(data: bytes, type_: str = "directory") -> ArtifactRef:
    return ArtifactRef(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), type_)


def test_what_train_left_verifies_with_the_public_tool(mlwf: Shell) -> None:
    file = mlwf.folder / "digits.yaml"
    file.write_text((ROOT / "examples/digits.yaml").read_text())
    mlwf("run", "digits.yaml", "-q")
    mlwf("download", "digits", "train.model", "model", "--signature", "model.sig")
    (mlwf.folder / "key.pem").write_text(mlwf("public-key"))
    paths = [mlwf.folder / name for name in ("model", "model.sig", "key.pem")]
    done = tool(*paths)
    assert done.returncode == 0, done.stderr + done.stdout
    assert mlwf.json("verify", "digits")["verified"]
    with (paths[0] / "bundle.json").open("a") as card:
        card.write(" ")
    done = tool(*paths)
    assert done.returncode != 0
    assert "bundle.json" in done.stdout + done.stderr
    assert "there is no signature of prep.train" in mlwf("download", "digits", "prep.train", "--signature", "x", code=1)
    (kept,) = mlwf.folder.glob(".mlworkflow/store/local/runs/*/train/0.model.sig.json")
    kept.chmod(0o600)
    bundle = json.loads(kept.read_text())
    bundle["dsseEnvelope"]["payload"] = "e30="
    kept.write_text(json.dumps(bundle))
    (said,) = mlwf.json("verify", "digits", code=1)["problems"]
    assert said == "the signature of the model train.model: the signature is not of what is in it"


@pytest.mark.parametrize(
    "files",
    [
        {"model.bin": b"weights", "a/b": b"1", "a.b": b"2", "a-b": b"3", "ä/ü.txt": b""},
        {"model.bin": b"weights", ".gitignore": b"x", ".git/HEAD": b"y", "sub/.gitignore": b"kept"},
    ],
)
def test_a_directory_of_any_names(store: ArtifactStore, tmp_path: Path, files: dict[str, bytes]) -> None:
    data = archive(files)
    key, artifact = SigningKey.made(tmp_path / "key"), reference(data)
    at = cas_key("ml", artifact.digest)
    store.write_bytes(at, data)
    for name, content in files.items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "sig").write_bytes(sign(store.read(at), artifact, "model", key))
    (tmp_path / "pem").write_text(key.public.pem)
    done = tool(tmp_path / "model", tmp_path / "sig", tmp_path / "pem")
    assert done.returncode == 0, done.stderr + done.stdout
    check((tmp_path / "sig").read_bytes(), [key.public])
    with pytest.raises(BadSignature, match="a key that is not given here"):
        check((tmp_path / "sig").read_bytes(), [SigningKey.made(tmp_path / "other").public])


def test_a_model_that_is_a_file(tmp_path: Path) -> None:
    key = SigningKey.made(tmp_path / "key")
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "sig").write_bytes(sign(iter([b"wei", b"ghts"]), reference(b"weights", "file"), "model", key))
    (tmp_path / "pem").write_text(key.public.pem)
    done = tool(tmp_path / "model.bin", tmp_path / "sig", tmp_path / "pem")
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize(
    ("data", "artifact", "why"),
    [
        (archive({"a": b"1"}), reference(b"other"), "do not have the digest"),
        (archive({"a": b"1"}, {"b": "a"}), reference(archive({"a": b"1"}, {"b": "a"})), "it has a link, 'b'"),
        (b"x" * 2000, reference(b"x" * 2000), "it is no archive"),
    ],
)
def test_what_cannot_be_signed_is_not(tmp_path: Path, data: bytes, artifact: ArtifactRef, why: str) -> None:
    with pytest.raises(Unsignable, match=why):
        sign(iter([data]), artifact, "model", SigningKey.made(tmp_path / "key"))


def test_memory_does_not_grow_with_the_model(tmp_path: Path) -> None:
    key, piece, count = SigningKey.made(tmp_path / "key"), bytes(1 << 20), 128
    header = tarfile.TarInfo("model.bin")
    header.size = len(piece) * count

    def chunks() -> Iterator[bytes]:
        yield header.tobuf(tarfile.GNU_FORMAT)
        for _ in range(count):
            yield piece
        yield bytes(10240)

    hashed: Any = hashlib.sha256()
    for chunk in chunks():
        hashed.update(chunk)
    tracemalloc.start()
    sign(chunks(), ArtifactRef(f"sha256:{hashed.hexdigest()}", 1, "directory"), "model", key)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20

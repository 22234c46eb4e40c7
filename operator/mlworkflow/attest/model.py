"""Model signatures in the form of OpenSSF model signing: a sigstore bundle around an in-toto statement over the files of a model.

The bytes are streamed, so memory does not grow with the model, and checked against the artifact's digest: nothing is signed that is not what the
step left. The public tool `model_signing` verifies the result, which tests let it do.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from io import RawIOBase
from pathlib import PurePosixPath
from typing import Any

from mlworkflow.attest.keys import BadSignature, PublicKey, SigningKey, opened
from mlworkflow.attest.statement import STATEMENT
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store.records import Record

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE = "https://model_signing/signature/v1.0"
IGNORED = (".git", ".gitattributes", ".github", ".gitignore")
"""What the tool leaves out of a model's folder, and so do we."""
_CHUNK = 1 << 20


class Unsignable(Exception):
    """The format has no word for this model, or the store's bytes are not it; the message says why."""


def models(record: Record) -> dict[str, ArtifactRef]:
    """The artifacts of a record that are models, by name."""
    left = record.outputs.get("model") if record.kind == "train" and record.is_success else None
    return {"model": left} if left and left.type in ("file", "directory") else {}


def sign(chunks: Iterator[bytes], artifact: ArtifactRef, name: str, key: SigningKey) -> bytes:
    """The signature of a model whose bytes, as stored, are `chunks`. Raises Unsignable."""
    reader = _Reader(chunks)
    try:
        files = _tarred(reader) if artifact.type == "directory" else {".": _digest(reader)}
    except (tarfile.TarError, EOFError) as error:
        raise Unsignable(f"it is no archive: {error}") from None
    if reader.finished() != artifact.digest:
        raise Unsignable(f"the store's bytes do not have the digest {artifact.digest}")
    return _bundle(_statement(files, name), key)


def check(bundle: bytes, keys: list[PublicKey]) -> None:
    """Raises BadSignature where a model's signature is not one of these keys."""
    try:
        envelope, id_ = (
            (found := json.loads(bundle))["dsseEnvelope"],
            found["verificationMaterial"]["publicKey"]["hint"],
        )
        signatures = [{"keyid": id_, "sig": signature["sig"]} for signature in envelope["signatures"]]
        named = json.dumps({**envelope, "signatures": signatures}).encode()
    except (ValueError, KeyError, TypeError):
        raise BadSignature("it is no sigstore bundle") from None
    opened(named, keys)


def _statement(files: dict[str, str], name: str) -> dict[str, Any]:
    whole = hashlib.sha256()
    resources = []
    for path in sorted(files, key=PurePosixPath):
        whole.update(bytes.fromhex(files[path]))
        resources.append({"name": path, "algorithm": "sha256", "digest": files[path]})
    serialization = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": list(IGNORED)}
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": whole.hexdigest()}}],
        "predicateType": PREDICATE,
        "predicate": {"serialization": serialization, "resources": resources},
    }


def _bundle(said: dict[str, Any], key: SigningKey) -> bytes:
    envelope = json.loads(key.sign(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()))
    unnamed = [{"sig": signature["sig"], "keyid": ""} for signature in envelope["signatures"]]
    bundle = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": key.public.id}, "tlogEntries": []},
        "dsseEnvelope": {**envelope, "signatures": unnamed},
    }
    return json.dumps(bundle, sort_keys=True, separators=(",", ":")).encode()


def _tarred(reader: _Reader) -> dict[str, str]:
    files = {}
    with tarfile.open(fileobj=reader, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # or memory grows with the number of entries
            if member.issym() or member.islnk():
                raise Unsignable(f"it has a link, {member.name!r}")
            if not member.name.isprintable():
                raise Unsignable(f"it has a file whose name is no text, {member.name!r}")
            content = tar.extractfile(member) if member.isreg() else None
            if content and member.name.partition("/")[0] not in IGNORED:
                files[member.name] = _digest(content)
    return files


def _digest(content: Any) -> str:
    hashed = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        hashed.update(chunk)
    return hashed.hexdigest()


class _Reader(RawIOBase):
    """Chunks as a file, hashed as they are read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left, self._hash = chunks, memoryview(b""), hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, but none only at the end."""
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._hash.update(chunk)
            self._left = memoryview(chunk)
        taken = self._left if size < 0 else self._left[:size]
        self._left = self._left[len(taken) :]
        return bytes(taken)

    def finished(self) -> str:
        """The digest of all there is, with what nobody has read."""
        for chunk in self._chunks:
            self._hash.update(chunk)
        return f"sha256:{self._hash.hexdigest()}"

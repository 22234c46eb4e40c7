"""An artifact onto this machine: its bytes verified while they come, and in place whole or not at all.

A collection becomes a directory with an index and its members, in the same form as a step finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias

from msgspec import DecodeError

from mlworkflow.core import collection
from mlworkflow.runs.artifacts import Artifact
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.unpack import BadArchive, unpack

STDOUT = "-"
PARALLEL = 8
COLLECTION = collection.TYPE
Read: TypeAlias = Callable[[str], AsyncIterator[bytes]]


async def download(artifact: Artifact, read: Read, destination: str | None) -> Path | None:
    """`read` gives the bytes of a digest. Where it is now; None for standard output, which gets the bytes as stored.

    An existing directory as `destination` gets it under its own name; a file is replaced, a directory never is.
    """
    if destination == STDOUT:
        await _copy(artifact, read, sys.stdout.buffer)
        return None
    target = _target(artifact, destination)
    with _scratch(target) as scratch:
        made = scratch / "made"
        if artifact.type == COLLECTION:
            await _collect(artifact, read, made)
        else:
            await _make(artifact, read, made)
        if made.is_dir():
            made.rename(target)
        else:
            made.replace(target)
    return target


async def _make(artifact: Artifact, read: Read, target: Path) -> None:
    """A file or a directory, where nothing is yet."""
    part = target.with_name(f"{target.name}.part")
    with part.open("wb") as file:
        await _copy(artifact, read, file)
    if artifact.type == "directory":
        try:
            unpack(part, target)
        except BadArchive as error:
            raise RunsError(
                f"{artifact.task}.{artifact.name} is not unpacked: {error}",
                "the bytes as they are stored: mlwf download NAME STEP.ARTIFACT -",
            ) from None
        part.unlink()
    else:
        part.chmod(0o666 & ~_umask())
        part.rename(target)


async def _collect(artifact: Artifact, read: Read, target: Path) -> None:
    """A collection: first all folders and indexes, then the members, a few at a time."""
    members = [member async for member in _laid_out(artifact, read, target)]
    members.reverse()

    async def work() -> None:
        while members:
            await _make(*members.pop())

    workers = [asyncio.create_task(work()) for _ in range(min(PARALLEL, len(members)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()


async def _laid_out(artifact: Artifact, read: Read, target: Path) -> AsyncIterator[tuple[Artifact, Read, Path]]:
    """Makes the folder and the index of a collection and of those in it; what is left to be made, in their order."""
    manifest = io.BytesIO()
    await _copy(artifact, read, manifest)
    try:
        members = collection.decode(manifest.getvalue())
    except (DecodeError, UnicodeError, RecursionError) as error:
        raise RunsError(
            f"{artifact.task}.{artifact.name} is no collection: {error}",
            "the bytes as they are stored: mlwf download NAME STEP.ARTIFACT -",
        ) from None
    _begin(target, members)
    for member, path in zip(members, collection.paths(members), strict=True):
        if (found := member.artifact) is None or path is None:
            continue
        inner = Artifact(artifact.task, f"{artifact.name}/{path}", found.type, found.size, found.digest)
        if found.type == COLLECTION:
            async for left in _laid_out(inner, read, target / path):
                yield left
        else:
            yield inner, read, target / path


def _target(artifact: Artifact, destination: str | None) -> Path:
    target = Path(destination or artifact.name)
    if destination is not None and target.is_dir():
        target /= artifact.name
    if target.is_dir() or (artifact.type != "file" and os.path.lexists(target)):
        raise RunsError(f"{target} exists already", "name another place: mlwf download NAME STEP.ARTIFACT DEST")
    if not target.parent.is_dir():
        raise RunsError(f"{target.parent} is no directory", f"make it: mkdir -p {target.parent}")
    return target


def _begin(target: Path, members: Sequence[collection.Member]) -> None:
    target.mkdir()
    (target / "index.json").write_bytes(collection.index(members))


async def _copy(artifact: Artifact, read: Read, file: BinaryIO) -> None:
    """Raises RunsError where the bytes are not the artifact's."""
    digest, size = hashlib.sha256(), 0
    async for piece in read(artifact.digest):
        digest.update(piece)
        size += len(piece)
        file.write(piece)
    file.flush()
    found = f"sha256:{digest.hexdigest()}"
    if found != artifact.digest:
        raise RunsError(
            f"{artifact.task}.{artifact.name} did not arrive as it was stored: {size} bytes with {found}, "
            f"not {artifact.size} bytes with {artifact.digest}",
            "nothing was kept; try again: if it stays so, the store has lost or changed it",
        )


@contextlib.contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """A folder beside `target`, hence on the same file system; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask

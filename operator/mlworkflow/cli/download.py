"""An artifact's bytes onto this machine: verified while they come, and in place whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

from mlworkflow.cli.artifacts import Artifact
from mlworkflow.cli.errors import CliError
from mlworkflow.cli.unpack import BadArchive, unpack

STDOUT = "-"


async def download(artifact: Artifact, pieces: AsyncIterator[bytes], destination: str | None) -> Path | None:
    """Where it is now; None for standard output, which gets the bytes as stored.

    An existing directory as `destination` gets it under its own name; a file is replaced, a directory never is.
    """
    if destination == STDOUT:
        await _copy(artifact, pieces, sys.stdout.buffer)
        return None
    target = _target(artifact, destination)
    with _scratch(target) as scratch:
        with (scratch / "bytes").open("wb") as file:
            await _copy(artifact, pieces, file)
        if artifact.type == "directory":
            try:
                unpack(scratch / "bytes", scratch / "tree")
            except BadArchive as error:
                raise CliError(f"{artifact.task}.{artifact.name} is not unpacked: {error}") from None
            (scratch / "tree").rename(target)
        else:
            (scratch / "bytes").chmod(0o666 & ~_umask())
            (scratch / "bytes").replace(target)
    return target


def _target(artifact: Artifact, destination: str | None) -> Path:
    target = Path(destination or artifact.name)
    if destination is not None and target.is_dir():
        target /= artifact.name
    if target.is_dir() or (artifact.type == "directory" and os.path.lexists(target)):
        raise CliError(f"{target} exists already", "name another place: mlwf download NAME STEP.ARTIFACT DEST")
    if not target.parent.is_dir():
        raise CliError(f"{target.parent} is no directory")
    return target


async def _copy(artifact: Artifact, pieces: AsyncIterator[bytes], file: BinaryIO) -> None:
    """Raises CliError where the bytes are not the artifact's."""
    digest, size = hashlib.sha256(), 0
    async for piece in pieces:
        digest.update(piece)
        size += len(piece)
        file.write(piece)
    file.flush()
    found = f"sha256:{digest.hexdigest()}"
    if found != artifact.digest:
        raise CliError(
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

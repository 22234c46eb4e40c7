"""What is to become an artifact: a file, a directory or an address, as the bytes that are stored and their digest."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from mlworkflow.core.values import ArtifactRef
from mlworkflow.runs.errors import RunsError

CHUNK = 1 << 20
TIMEOUT = 60.0


@contextlib.contextmanager
def opened(source: str) -> Iterator[tuple[ArtifactRef, BinaryIO]]:
    """The artifact that a path or an ``http(s)://`` address makes, and its bytes. Raises RunsError."""
    with tempfile.TemporaryFile() as scratch:
        if source.startswith(("http://", "https://")):
            _fetch(source, scratch)
            yield _reference(scratch, "file"), scratch
        elif (path := Path(source)).is_dir():
            _pack(path, scratch)
            yield _reference(scratch, "directory"), scratch
        elif path.is_file():
            with path.open("rb") as file:
                yield _reference(file, "file"), file
        else:
            raise RunsError(f"{source}: there is no such file or directory", "or name an address: https://…")


def shown(source: str) -> str:
    """A source as it is kept beside its data: without what an address may hold of secrets."""
    if not source.startswith(("http://", "https://")):
        return source
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _reference(file: BinaryIO, type_: str) -> ArtifactRef:
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while piece := file.read(CHUNK):
        digest.update(piece)
        size += len(piece)
    file.seek(0)
    return ArtifactRef(f"sha256:{digest.hexdigest()}", size, type_)


def _pack(path: Path, target: BinaryIO) -> None:
    """As the agent packs it, so that the digest is the same as that of a step's output."""
    command = [sys.executable, "-m", "mlworkflow_steps.agent", "pack", str(path)]
    ended = subprocess.run(command, stdout=target, stderr=subprocess.PIPE, check=False)
    if ended.returncode:
        raise RunsError(
            f"{path}: {ended.stderr.decode(errors='replace').strip().removeprefix('mlworkflow: ')}",
            "mend that, or name another file or folder",
        )


def _fetch(address: str, target: BinaryIO) -> None:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
            size = 0
            while piece := response.read(CHUNK):
                target.write(piece)
                size += len(piece)
            told = response.headers.get("Content-Length")
    except (OSError, ValueError) as error:
        raise RunsError(f"{shown(address)}: {error}", "is the address right, and can this machine reach it?") from None
    if told is not None and told.isdecimal() and int(told) != size:
        raise RunsError(f"{shown(address)}: {size} bytes came of {told}", "nothing was kept; try again")

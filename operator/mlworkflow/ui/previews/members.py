"""What is in a directory (one tar) or a collection (a manifest), and one member of it; links are told, and never followed. Synchronous."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from mlworkflow.core import collection
from mlworkflow.core.values import ArtifactRef
from mlworkflow.runs.errors import RunsError
from mlworkflow.ui.answers import Entry
from mlworkflow.ui.failing import NOT_THERE, Refusal

MOST = 200_000
"""Members that are looked at."""


def entries_of(file: Path) -> list[Entry]:
    """The members of a tar, sorted by path. Raises RunsError for what is none."""
    with _opened(file) as tar:
        found = [_entry(member) for member in _members(tar)]
    return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.path)


@contextmanager
def member(file: Path, path: str) -> Iterator[tuple[IO[bytes], int]]:
    """A file in a tar, and its size. Raises Refusal where there is none."""
    with _opened(file) as tar:
        for one in _members(tar):
            if _path(one) == path and one.isreg() and (stream := tar.extractfile(one)) is not None:
                yield stream, one.size
                return
    raise Refusal(NOT_THERE, f"path={path}: there is no such file in it")


def collected(data: bytes) -> dict[str, ArtifactRef]:
    """The members of a collection by what each is called where it is a directory. Raises RunsError."""
    try:
        members = collection.decode(data)
    except msgspec.DecodeError as error:
        raise RunsError(f"this is no collection: {error}") from None
    named = zip(collection.paths(members), members, strict=True)
    return {path: one.artifact for path, one in named if path is not None and one.artifact is not None}


def _entry(one: tarfile.TarInfo) -> Entry | None:
    if not (path := _path(one)):
        return None
    if one.issym() or one.islnk():
        return Entry(path=path, type="link", size=0, target=one.linkname)
    return Entry(path=path, type="directory" if one.isdir() else "file", size=one.size if one.isreg() else 0)


def _path(one: tarfile.TarInfo) -> str:
    return one.name.strip("/")


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    count = 0
    while count < MOST and (one := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # or memory grows with the number of entries
        count += 1
        yield one


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file, "r:", encoding="utf-8", errors="surrogateescape") as tar:
            yield tar
    except tarfile.TarError as error:
        raise RunsError(f"this is no directory as a step leaves one: {error}") from None

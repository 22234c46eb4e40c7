"""A directory as one deterministic tar, and back (contract, section 4).

Same content, same bytes: entries are sorted by the bytes of their paths; times, owners and names are fixed;
permission bits, empty directories and symlinks are kept; hard links become files. Nothing that lies outside is ever
read or written: what `pack` would store and `unpack` would refuse, `pack` refuses, with `ValueError` in both
directions.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    import tarfile
    from typing import IO, Literal

_CHUNK = 1 << 20
_BLOCK = 512
_GNU_FORMAT: Literal[1] = 1  # tarfile.GNU_FORMAT


def pack(root: str, keeps: Callable[[str], bool] | None = None) -> Iterator[bytes]:
    """The tar of the directory `root`, in chunks, without the entries to whose names `keeps` says no; raises `ValueError` for what cannot be kept, `OSError` for what
    cannot be read.
    """
    for path in _paths(root, keeps):
        info, full = _entry(root, path), os.path.join(root, path)
        yield info.tobuf(_GNU_FORMAT, "utf-8", "surrogateescape")
        if info.isreg():
            yield from _content(full, info.size)
            yield b"\0" * (-info.size % _BLOCK)
    yield b"\0" * (2 * _BLOCK)


def unpack(source: IO[bytes], root: str, *, readable: bool = False) -> None:
    """Makes the directory `root`, which does not exist, from a tar.

    `readable` lets everybody read what it makes, for a user that is not the agent's. Raises `ValueError` for a tar
    that `pack` would not make.
    """
    import tarfile

    os.mkdir(root, 0o755)
    directories: list[tuple[str, int]] = []
    links: list[tuple[str, str]] = []
    try:
        with tarfile.open(fileobj=source, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
            while (info := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # or memory grows with the number of entries
                path = _place(root, info.name)
                mode = info.mode & 0o777
                if info.isdir():
                    os.mkdir(path, 0o700)
                    directories.append((path, mode | (0o555 if readable else 0)))
                elif info.issym():
                    links.append((path, info.linkname))
                elif info.isreg():
                    _write(tar, info, path, mode | (0o444 if readable else 0))
                else:
                    raise ValueError(f"{info.name!r} is neither a file, a directory nor a symlink")
    except (tarfile.TarError, EOFError, FileExistsError) as error:
        raise ValueError(f"the archive cannot be unpacked: {error}") from error
    for path, target in links:
        if os.path.lexists(path):
            raise ValueError(f"{os.path.relpath(path, root)!r} is there twice")
        os.symlink(target, path)
    for path, target in links:
        _check_link(root, path, target)
    for path, mode in reversed(directories):
        os.chmod(path, mode)


def _paths(root: str, keeps: Callable[[str], bool] | None) -> list[str]:
    found: list[str] = []
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                if keeps is not None and not keeps(entry.name):
                    continue
                path = os.path.join(folder, entry.name)
                found.append(path)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
    return sorted(found, key=os.fsencode)


def _entry(root: str, path: str) -> tarfile.TarInfo:
    import tarfile

    full = os.path.join(root, path)
    status = os.lstat(full)
    info = tarfile.TarInfo(path)
    info.mode = stat.S_IMODE(status.st_mode) & 0o777
    if stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(status.st_mode):
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, os.readlink(full)
        _check_link(root, full, info.linkname)
    elif stat.S_ISREG(status.st_mode):
        info.size = status.st_size
    else:
        raise ValueError(f"{path!r} is neither a file, a directory nor a symlink")
    return info


def _content(path: str, size: int) -> Iterator[bytes]:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0) as file:
        while size:
            chunk = file.read(min(size, _CHUNK))
            if not chunk:
                raise ValueError(f"{path!r} became shorter while it was read")
            size -= len(chunk)
            yield chunk


def _place(root: str, name: str) -> str:
    """Where an entry goes: below `root`, in a directory that is no link."""
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{name!r} leads outside")
    parent = os.path.join(root, *parts[:-1])
    if not stat.S_ISDIR(_mode(parent)):
        raise ValueError(f"{name!r} has no directory to be in")
    return os.path.join(root, *parts)


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _write(tar: tarfile.TarFile, info: tarfile.TarInfo, path: str, mode: int) -> None:
    source = tar.extractfile(info)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb", buffering=0) as target:
        while source is not None and (chunk := source.read(_CHUNK)):
            target.write(chunk)
        os.fchmod(descriptor, mode)


def _check_link(root: str, path: str, target: str) -> None:
    """Raises unless a symlink stays inside, however many other links it goes through; it may lead nowhere."""
    inside = os.path.realpath(root)
    resolved = os.path.realpath(path)
    if os.path.isabs(target) or os.path.commonpath([inside, resolved]) != inside:
        raise ValueError(f"the link {os.path.relpath(path, root)!r} leads outside")

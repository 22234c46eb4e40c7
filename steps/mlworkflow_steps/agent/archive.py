"""A directory as one deterministic tar (contract, section 4), written here; `unpack` is its reader.

Same content, same bytes: entries are sorted by the bytes of their paths; times, owners and names are fixed;
permission bits, empty directories and symlinks are kept; hard links become files. What `unpack` would refuse, `pack`
refuses, with `ValueError` in both directions. The bytes are those of `tarfile` in its GNU format, which takes several
times as long for a small file as the kernel does. Callers: `transfer`, `checkpoint`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

CHUNK = 1 << 20
BLOCK = 512
FILE, SYMLINK, DIRECTORY, LONG_NAME, LONG_LINK = b"0", b"2", b"5", b"L", b"K"
MAGIC = b"ustar  \0"
"""Of the GNU format, version included."""
LONGEST = 100
"""Bytes of a name in a header; a longer one has an entry of its own before."""
_LARGEST_OCTAL = 8**11
_NO_SUM = sum(b" " * 8)


def pack(root: str, keeps: Callable[[str], bool] | None = None) -> Iterator[bytes]:
    """The tar of the directory `root`, in chunks of about 1 MiB, without the entries to whose names `keeps` says no; raises `ValueError` for
    what cannot be kept, `OSError` for what cannot be read.
    """
    pieces: list[bytes] = []
    held = 0
    for piece in _pieces(os.fsencode(root), keeps):
        pieces.append(piece)
        held += len(piece)
        if held >= CHUNK:
            yield b"".join(pieces)
            pieces, held = [], 0
    pieces.append(bytes(2 * BLOCK))
    yield b"".join(pieces)


def check_link(root: str, path: str, target: str) -> None:
    """Raises `ValueError` unless a symlink stays inside, however many other links it goes through; it may lead nowhere."""
    inside = os.path.realpath(root)
    resolved = os.path.realpath(path)
    if os.path.isabs(target) or os.path.commonpath([inside, resolved]) != inside:
        raise ValueError(f"the link {os.path.relpath(path, root)!r} leads outside")


def _pieces(root: bytes, keeps: Callable[[str], bool] | None) -> Iterator[bytes]:
    paths, kinds = _walked(root, keeps)
    for path in paths:
        full = root + b"/" + path
        kind = kinds.get(path, FILE)
        if kind == FILE:
            yield from _file(path, full)
        elif kind == DIRECTORY:
            yield _entry(path + b"/", DIRECTORY, _permissions(os.lstat(full)))
        elif kind == SYMLINK:
            target = os.readlink(full)
            check_link(os.fsdecode(root), os.fsdecode(full), os.fsdecode(target))
            yield _entry(path, SYMLINK, 0o777, link=target)
        else:
            raise ValueError(f"{os.fsdecode(path)!r} is neither a file, a directory nor a symlink")


def _walked(root: bytes, keeps: Callable[[str], bool] | None) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Sorted paths, and what those are that are no files; empty for what cannot be kept."""
    paths: list[bytes] = []
    kinds: dict[bytes, bytes] = {}
    pending = [b""]
    while pending:
        folder = pending.pop()
        prefix = folder + b"/" if folder else b""
        with os.scandir(root + b"/" + folder) as entries:
            for entry in entries:
                if keeps is not None and not keeps(os.fsdecode(entry.name)):
                    continue
                path = prefix + entry.name
                paths.append(path)
                if entry.is_file(follow_symlinks=False):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    kinds[path] = DIRECTORY
                    pending.append(path)
                else:
                    kinds[path] = SYMLINK if entry.is_symlink() else b""
    paths.sort()
    return paths, kinds


def _file(path: bytes, full: bytes) -> Iterator[bytes]:
    """A file's header, content and padding; of the size that it has when it is opened."""
    descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{os.fsdecode(path)!r} is neither a file, a directory nor a symlink")
        left = status.st_size
        yield _entry(path, FILE, _permissions(status), left)
        while left:
            chunk = os.read(descriptor, min(left, CHUNK))
            if not chunk:
                raise ValueError(f"{os.fsdecode(path)!r} became shorter while it was read")
            left -= len(chunk)
            yield chunk
    finally:
        os.close(descriptor)
    if padding := -status.st_size % BLOCK:
        yield bytes(padding)


def _permissions(status: os.stat_result) -> int:
    return status.st_mode & 0o777


def _entry(name: bytes, kind: bytes, mode: int, size: int = 0, link: bytes = b"") -> bytes:
    """A header, after entries for what is too long for it."""
    header = _header(name, kind, mode, size, link)
    if len(name) > LONGEST:
        header = _long(LONG_NAME, name) + header
    return _long(LONG_LINK, link) + header if len(link) > LONGEST else header


def _long(kind: bytes, text: bytes) -> bytes:
    text += b"\0"
    return _header(b"././@LongLink", kind, 0, len(text), b"") + text + bytes(-len(text) % BLOCK)


def _header(name: bytes, kind: bytes, mode: int, size: int, link: bytes) -> bytes:
    """Fields and widths: https://www.gnu.org/software/tar/manual/html_node/Standard.html"""
    length = b"%011o\0" % size if size < _LARGEST_OCTAL else b"\x80" + size.to_bytes(11, "big")
    owner, time = b"0000000\0" * 2, b"00000000000\0"
    before = b"%s%07o\0%s%s%s" % (name[:LONGEST].ljust(LONGEST, b"\0"), mode, owner, length, time)
    after = (kind + link[:LONGEST].ljust(LONGEST, b"\0") + MAGIC).ljust(BLOCK - 156, b"\0")
    return b"%s%06o\0 %s" % (before, sum(before) + _NO_SUM + sum(after), after)

"""A directory as one deterministic tar (contract, section 4), written here; `unpack` is its reader.

Same content, same bytes: entries are sorted by the bytes of their paths; times, owners and names are fixed;
permission bits, empty directories and symlinks are kept; hard links become files. What `unpack` would refuse, `pack`
refuses, with `ValueError` in both directions. The bytes are those of `tarfile` in its GNU format, which takes several
times as long for a small file as the kernel does. Callers: `transfer`, `checkpoint`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator

CHUNK = 1 << 20
BLOCK = 512
FILE, SYMLINK, DIRECTORY, LONG_NAME, LONG_LINK = b"0", b"2", b"5", b"L", b"K"
MAGIC = b"ustar  \0"
"""Of the GNU format, version included."""
LONGEST = 100
"""Bytes of a name in a header; a longer one has an entry of its own before."""
_LARGEST_OCTAL = 8**11


def pack(root: str, keeps: Callable[[str], bool] | None = None) -> Iterator[bytes]:
    """The tar of the directory `root`, in chunks of about 1 MiB, without the entries to whose names `keeps` says no; raises `ValueError` for
    what cannot be kept, `OSError` for what cannot be read.
    """
    top = os.fsencode(root)
    paths, kinds = _walked(top, keeps)
    pieces: list[bytes] = []
    held = 0
    for path in paths:
        kind = kinds.get(path, FILE)
        for piece in _file(top, path) if kind == FILE else [_other(top, path, kind)]:
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


def _other(root: bytes, path: bytes, kind: bytes) -> bytes:
    full = root + b"/" + path
    if kind == DIRECTORY:
        return _entry(path + b"/", DIRECTORY, os.lstat(full).st_mode & 0o777)
    if kind == SYMLINK:
        target = os.readlink(full)
        check_link(os.fsdecode(root), os.fsdecode(full), os.fsdecode(target))
        return _entry(path, SYMLINK, 0o777, link=target)
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


def _file(root: bytes, path: bytes) -> Iterable[bytes]:
    """A file's header, content and padding; of the size that it has when it is opened."""
    descriptor = os.open(root + b"/" + path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    is_big = False
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{os.fsdecode(path)!r} is neither a file, a directory nor a symlink")
        size = status.st_size
        header = _entry(path, FILE, status.st_mode & 0o777, size)
        is_big = size > CHUNK
        if is_big:
            return _big(descriptor, path, header, size)
        content = os.read(descriptor, size)
    finally:
        if not is_big:
            os.close(descriptor)
    if len(content) != size:
        raise _shorter(path)
    return header, content, bytes(-size % BLOCK)


def _big(descriptor: int, path: bytes, header: bytes, size: int) -> Iterator[bytes]:
    """The same of a file that is open already, and closed afterwards."""
    with open(descriptor, "rb", buffering=0) as file:
        yield header
        left = size
        while left:
            chunk = file.read(min(left, CHUNK))
            if not chunk:
                raise _shorter(path)
            left -= len(chunk)
            yield chunk
    yield bytes(-size % BLOCK)


def _shorter(path: bytes) -> ValueError:
    return ValueError(f"{os.fsdecode(path)!r} became shorter while it was read")


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
    after, after_sum = _PLAIN if kind == FILE else _after(kind, link)
    return b"%s%06o\0 %s" % (before, sum(before) + after_sum, after)


def _after(kind: bytes, link: bytes) -> tuple[bytes, int]:
    """What follows the checksum, and what it and the blanks in its place add to it."""
    after = (kind + link[:LONGEST].ljust(LONGEST, b"\0") + MAGIC).ljust(BLOCK - 156, b"\0")
    return after, sum(after) + sum(b" " * 8)


_PLAIN = _after(FILE, b"")

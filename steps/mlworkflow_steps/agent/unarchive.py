"""A directory made from its tar, as the bytes come: the reader of what `archive.pack` writes, and of nothing else.

Nothing outside of the new directory is ever touched: a name is walked part by part from an open directory, following no
link, and links are made when everything else is there. Memory stays flat, at some chunks, in everything but the number of directories
and links. Callers: `transfer`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from mlworkflow_steps.agent.archive import BLOCK, DIRECTORY, FILE, LONG_LINK, LONG_NAME, SYMLINK, check_link

_LONGEST_TEXT = 1 << 16
_NOWHERE = (b"", b".", b"..")
_END = bytes(BLOCK)
_NOTHING = bytes(BLOCK - 345)
"""What ends a header; in other tars it belongs to a name."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def unpack(chunks: Iterable[bytes | memoryview], root: str, *, readable: bool = False) -> None:
    """Makes the directory `root`, which does not exist, from a tar.

    `readable` lets everybody read what it makes, for a user that is not the agent's. Raises `ValueError` for a tar
    that `pack` would not make, `OSError` where the disk says no; `root` is left half made.
    """
    os.mkdir(root, 0o755)
    tree = _Tree(os.fsencode(root), readable)
    try:
        _read(_Bytes(chunks), tree)
        tree.finish()
    finally:
        tree.close()


def _read(source: _Bytes, tree: _Tree) -> None:
    name = link = b""
    while (header := source.take(BLOCK)) != _END:
        if not header.startswith(b"ustar", 257) or not header.endswith(_NOTHING):
            raise _unreadable("a header that this agent does not write")
        kind, size = header[156:157], _number(header[124:136])
        if kind in (LONG_NAME, LONG_LINK):
            if size > _LONGEST_TEXT:
                raise _unreadable("a name is too long")
            text = source.take(size).rstrip(b"\0")
            name, link = (text, link) if kind == LONG_NAME else (name, text)
            source.skip(-size % BLOCK)
            continue
        name = name or header[:100].rstrip(b"\0")
        mode = _number(header[100:108]) & 0o777
        if kind == FILE:
            tree.file(name, mode, source.pieces(size))
            source.skip(-size % BLOCK)
        elif kind == DIRECTORY and not size:
            tree.directory(name.removesuffix(b"/"), mode)
        elif kind == SYMLINK and not size:
            tree.symlink(name, link or header[157:257].rstrip(b"\0"))
        else:
            raise ValueError(f"{_shown(name)} is neither a file, a directory nor a symlink")
        name = link = b""
    source.rest()


class _Bytes:
    """What comes in chunks that are good until the next is asked for, in the pieces that are wanted; raises `ValueError` where it ends early."""

    def __init__(self, chunks: Iterable[bytes | memoryview]) -> None:
        self._chunks = iter(chunks)
        self._chunk = memoryview(b"")
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        return b"".join(map(bytes, self.pieces(size)))

    def skip(self, size: int) -> None:
        """Passes over the next `size` bytes."""
        for _ in self.pieces(size):
            pass

    def pieces(self, size: int) -> Iterable[memoryview]:
        """The next `size` bytes, as they lie; to be used before anything else is taken."""
        end = self._at + size
        if end > len(self._chunk):
            return self._across(size)
        piece, self._at = self._chunk[self._at : end], end
        return (piece,)

    def _across(self, size: int) -> Iterator[memoryview]:
        while size:
            if self._at == len(self._chunk):
                self._chunk, self._at = memoryview(self._next()), 0
            piece = self._chunk[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def rest(self) -> None:
        """Reads to the end, for whoever looks at the bytes on their way."""
        for _ in self._chunks:
            pass

    def _next(self) -> bytes | memoryview:
        for chunk in self._chunks:
            return chunk
        raise _unreadable("it ends early")


class _Tree:
    """The directory that grows."""

    def __init__(self, root: bytes, readable: bool) -> None:
        self._root = root
        self._files_too, self._folders_too = (0o444, 0o555) if readable else (0, 0)
        self._folder = _Folder(root)
        self._directories: dict[bytes, int] = {b"": 0o755}
        self._links: list[tuple[bytes, bytes]] = []

    def file(self, name: bytes, mode: int, pieces: Iterable[memoryview]) -> None:
        self._check(name)
        self._folder.write(name, mode | self._files_too, pieces)

    def directory(self, name: bytes, mode: int) -> None:
        self._check(name)
        self._folder.make(name)
        self._directories[name] = mode | self._folders_too

    def symlink(self, name: bytes, target: bytes) -> None:
        self._check(name)
        self._links.append((name, target))

    def finish(self) -> None:
        """Makes links, which nothing can be written through any more, and gives directories their modes."""
        for name, target in self._links:
            self._folder.link(name, target)
        root = os.fsdecode(self._root)
        for name, target in self._links:
            check_link(root, os.path.join(root, os.fsdecode(name)), os.fsdecode(target))
        del self._directories[b""]
        for name, mode in reversed(self._directories.items()):
            os.chmod(os.path.join(self._root, name), mode)

    def close(self) -> None:
        self._folder.close()

    def _check(self, name: bytes) -> None:
        where, slash, last = name.rpartition(b"/")
        if where in self._directories and last not in _NOWHERE and (where or not slash):
            return  # for its directory has been looked at like this
        if last in _NOWHERE or not where or any(part in _NOWHERE for part in where.split(b"/")):
            raise ValueError(f"{_shown(name)} leads outside")
        raise ValueError(f"{_shown(name)} has no directory to be in")


class _Folder:
    """Makes what has checked names, from the directory that it was in last."""

    def __init__(self, root: bytes) -> None:
        self._root = self._open = os.open(root, _FOLDER)
        self._where = b""
        self._as_made: set[int] = set()

    def write(self, name: bytes, mode: int, pieces: Iterable[memoryview]) -> None:
        last = self._enter(name)
        try:
            descriptor = os.open(last, _NEW, mode, dir_fd=self._open)
        except FileExistsError:
            raise _twice(name) from None
        try:
            for piece in pieces:
                while piece:
                    piece = piece[os.write(descriptor, piece) :]
            if mode not in self._as_made:  # or the umask, or an ACL of this folder, made another of it
                if os.fstat(descriptor).st_mode & 0o777 == mode:
                    self._as_made.add(mode)
                else:
                    os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)

    def make(self, name: bytes) -> None:
        try:
            os.mkdir(self._enter(name), 0o700, dir_fd=self._open)
        except FileExistsError:
            raise _twice(name) from None

    def link(self, name: bytes, target: bytes) -> None:
        try:
            os.symlink(target, self._enter(name), dir_fd=self._open)
        except FileExistsError:
            raise _twice(name) from None

    def close(self) -> None:
        if self._open != self._root:
            os.close(self._open)
        os.close(self._root)

    def _enter(self, name: bytes) -> bytes:
        """Opens the directory that an entry is in, following no link; the last part of its name."""
        where, _, last = name.rpartition(b"/")
        if where != self._where:
            at = self._root
            for part in where.split(b"/") if where else ():
                try:
                    inner = os.open(part, _FOLDER, dir_fd=at)
                finally:
                    if at != self._root:
                        os.close(at)
                at = inner
            if self._open != self._root:
                os.close(self._open)
            self._open, self._where = at, where
            self._as_made.clear()
        return last


def _number(field: bytes) -> int:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.rstrip(b"\0"), 8)
    except ValueError:
        raise _unreadable("a number cannot be read") from None


def _unreadable(why: str) -> ValueError:
    return ValueError(f"the archive cannot be unpacked: {why}")


def _twice(name: bytes) -> ValueError:
    return ValueError(f"{_shown(name)} is there twice")


def _shown(name: bytes) -> str:
    return repr(os.fsdecode(name))

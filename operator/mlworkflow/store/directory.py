"""A store in a folder: local runs and tests.

An object is one file under its key, put there by a rename, so it is whole or absent; nothing is synced to the disk,
because a record that a power cut loses only costs its step again. Files are 0600. Signed URLs are relative
(``/blob/<grant>``): the gateway that was made with the same `BlobSigner` serves them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from mlworkflow.store._protocol import Entry, SignedPut
from mlworkflow.store.errors import InvalidKey, NotFound, StoreFull, StoreRefused, StoreUnavailable
from mlworkflow.store.signing import BlobSigner

_CHUNK = 1 << 20
_TEMPORARY = ".tmp"


class DirectoryStore:
    """An `ArtifactStore` below `root`, which is created. Its time is that of `clock`."""

    def __init__(self, root: Path, signer: BlobSigner, clock: Callable[[], float] = time.time) -> None:
        self._root = root
        self._signer = signer
        self._clock = clock

    def path(self, key: str) -> Path:
        """Where an object is, or would be; raises `InvalidKey` rather than lead outside."""
        parts = key.split("/")
        if not all(parts) or any(part in (".", "..", _TEMPORARY) or "\0" in part for part in parts):
            raise InvalidKey(f"not a key: {key[:200]!r}")
        return self._root.joinpath(*parts)

    def stat(self, key: str) -> int | None:
        try:
            with _translated(key):
                return self.path(key).stat().st_size
        except NotFound:
            return None

    def read(self, key: str) -> Iterator[bytes]:
        with _translated(key):
            file = self.path(key).open("rb")

        def chunks() -> Iterator[bytes]:
            with file, _translated(key):
                while chunk := file.read(_CHUNK):
                    yield chunk

        return chunks()

    def read_bytes(self, key: str) -> bytes:
        with _translated(key):
            return self.path(key).read_bytes()

    def write_bytes(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        with _Pending(self._root, self.path(key), self._clock) as pending:
            pending.write(data)
            return pending.publish(replace=not if_absent)

    def receive(self, key: str, digest: str, size: int) -> Incoming:
        """A writer for bytes that are yet to come, which must turn out to be these."""
        return Incoming(self._root, self.path(key), self._clock, digest, size)

    def write(self, key: str, digest: str, size: int, pieces: Iterator[bytes]) -> None:
        with self.receive(key, digest, size) as incoming:
            for piece in pieces:
                incoming.write(piece)
            incoming.finish()

    def list(self, prefix: str) -> Iterator[str]:
        folder = self.path(prefix.removesuffix("/"))
        keys = [
            os.path.relpath(os.path.join(where, name), self._root)
            for where, _, names in os.walk(folder)
            for name in names
        ]
        return iter(sorted(keys, key=os.fsencode))

    def entries(self, prefix: str) -> Iterator[Entry]:
        pending = [self.path(prefix.removesuffix("/"))]
        while pending:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(pending.pop()) as found:
                for entry in found:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        yield Entry(os.path.relpath(entry.path, self._root), status.st_size, status.st_mtime)

    def folders(self, prefix: str) -> Iterator[str]:
        folder = self.path(prefix.removesuffix("/")) if prefix else self._root
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
            yield from sorted(entry.name for entry in found if entry.is_dir() and entry.name != _TEMPORARY)

    def now(self) -> float:
        return self._clock()

    def refresh(self, key: str, before: float) -> int | None:
        with self._alone(key) as status:
            if status is not None and status.st_mtime < before:
                now = self._clock()
                os.utime(self.path(key), (now, now))
            return None if status is None else status.st_size

    def discard(self, key: str, before: float) -> bool:
        with self._alone(key) as status:
            is_old = status is not None and status.st_mtime < before
            if is_old:
                self.path(key).unlink()
            return is_old

    @contextlib.contextmanager
    def _alone(self, key: str) -> Iterator[os.stat_result | None]:
        """An object that nobody else refreshes or discards meanwhile, in whatever process; None where there is none."""
        with _translated(key):
            while True:
                try:
                    file = self.path(key).open("rb")
                except FileNotFoundError:
                    yield None
                    return
                with file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    status = os.fstat(file.fileno())
                    if status.st_nlink:  # else it was discarded, or written anew, before we had it
                        yield status
                        return

    def delete(self, key: str) -> None:
        with contextlib.suppress(NotFound), _translated(key):
            self.path(key).unlink()

    def sign_get(self, key: str, expires: float) -> str:
        return f"/blob/{self._signer.sign('GET', key, expires)}"

    def sign_put(self, key: str, digest: str, size: int, expires: float) -> SignedPut:
        return SignedPut(f"/blob/{self._signer.sign('PUT', key, expires, digest=digest, size=size)}", {})

    @property
    def in_parts(self) -> None:
        """A local gateway is not far away: what breaks is sent again."""
        return None

    def check(self) -> None:
        probe = f"check/{uuid.uuid4().hex}"
        self.write_bytes(probe, b"")
        self.delete(probe)


class _Pending:
    """A file that is not an object yet: gone on exit unless it was published."""

    def __init__(self, root: Path, target: Path, clock: Callable[[], float]) -> None:
        self._target = target
        self._clock = clock
        self._path = root / _TEMPORARY / uuid.uuid4().hex
        with _translated(target.name):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._file)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def write(self, data: bytes) -> None:
        """Appends; raises `StoreFull` when the disk is."""
        view = memoryview(data)
        with _translated(self._target.name):
            while view:
                view = view[os.write(self._file, view) :]

    def publish(self, *, replace: bool) -> bool:
        """Gives the file its name at once; False when the name is taken and may not be replaced."""
        with _translated(self._target.name):
            self._target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            now = self._clock()
            os.utime(self._file, (now, now))
            if replace:
                os.replace(self._path, self._target)
                return True
            try:
                os.link(self._path, self._target)
            except FileExistsError:
                return False
            return True


class Incoming(_Pending):
    """Bytes that arrive with a promise of what they are: nothing appears under the key unless the promise is kept."""

    def __init__(self, root: Path, target: Path, clock: Callable[[], float], digest: str, size: int) -> None:
        super().__init__(root, target, clock)
        self._digest = digest
        self._left = size
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Appends; raises `StoreRefused` as soon as there are too many bytes."""
        self._left -= len(data)
        if self._left < 0:
            raise StoreRefused("more bytes than were signed for")
        self._hash.update(data)
        super().write(data)

    def finish(self) -> None:
        """Makes the object appear; raises `StoreRefused` when these are not the bytes that were signed for."""
        if self._left:
            raise StoreRefused("fewer bytes than were signed for")
        if f"sha256:{self._hash.hexdigest()}" != self._digest:
            raise StoreRefused("the bytes do not have the digest that was signed for")
        self.publish(replace=True)


@contextlib.contextmanager
def _translated(noun: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"no such object: {noun}") from error
    except (PermissionError, NotADirectoryError, IsADirectoryError) as error:
        raise StoreRefused(f"{error.strerror}: {error.filename}") from error
    except OSError as error:
        kind = StoreFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreUnavailable
        raise kind(f"{error.strerror}: {error.filename or noun}") from error

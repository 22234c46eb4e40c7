"""What the rest of the product may ask of a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from mlworkflow.store.parts import InParts


class SignedPut(NamedTuple):
    """Where and how to PUT an object: `url` with exactly these `headers`; both are secrets until they expire."""

    url: str
    headers: dict[str, str]


class Entry(NamedTuple):
    """An object as a listing tells it; `modified` is when it was last written or refreshed, by the store's own time."""

    key: str
    size: int
    modified: float


class ArtifactStore(Protocol):
    """Objects under keys. Synchronous and thread-safe: callers on an event loop use `asyncio.to_thread`.

    Every call may raise `StoreUnavailable` or `StoreRefused`. An object is either there whole or not there.
    """

    def stat(self, key: str) -> int | None:
        """The object's size in bytes, or None if there is none."""

    def read(self, key: str) -> Iterator[bytes]:
        """The object's bytes in chunks; raises `NotFound` before the first."""

    def read_bytes(self, key: str) -> bytes:
        """The whole of a small object; raises `NotFound`."""

    def write_bytes(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Writes a small object; with `if_absent`, False and nothing written if the key is taken, decided
        atomically.
        """

    def write(self, key: str, digest: str, size: int, pieces: Iterator[bytes]) -> None:
        """Writes an object as it comes: the `size` bytes that have this digest. Raises `StoreRefused` for others, and nothing is written."""

    def list(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, which ends in ``/``; stores differ in their order."""

    def entries(self, prefix: str) -> Iterator[Entry]:
        """As `list`, with sizes and times; memory stays flat however many there are."""

    def folders(self, prefix: str) -> Iterator[str]:
        """The names below `prefix` (empty, or ending in ``/``) that lead further; stores differ in their order."""

    def now(self) -> float:
        """The store's own time, which is the one of `Entry.modified`."""

    def refresh(self, key: str, before: float) -> int | None:
        """The object's size, or None if there is none; one that was last written before `before` counts as written now."""

    def discard(self, key: str, before: float) -> bool:
        """Removes an object that was last written or refreshed before `before`; False if there is none such. Never at the same time
        as a `refresh` of it: either the object is gone and `refresh` says so, or it stays.
        """

    def delete(self, key: str) -> None:
        """Removes an object; none there is no error."""

    def sign_get(self, key: str, expires: float) -> str:
        """A URL that reads this object for `expires` seconds; no I/O. May be relative: then to the gateway's URL."""

    def sign_put(self, key: str, digest: str, size: int, expires: float) -> SignedPut:
        """Permission to write exactly the `size` bytes that have this digest; no I/O. The URL may be relative, as in
        `sign_get`.
        """

    @property
    def in_parts(self) -> InParts | None:
        """How the store takes big objects in parts; None where it takes them whole only. Known after `check`."""

    def check(self) -> None:
        """Returns if the store is usable, having created what it may; else raises with the store's own words."""

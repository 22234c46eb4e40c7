"""What a store may do besides: take a big object in parts, which are sent beside each other and again after a break.

A store enforces the digest of each part, but of no whole. Such an object is therefore the *word* of whoever had it put together
(`InParts.word`) until somebody has read and verified it (`InParts.believe`): `gateway._deposits` lets nobody else build upon it before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from mlworkflow.store._protocol import SignedPut

LEAST_PART = 5 << 20
"""Bytes of a part at least, but for the last one."""
MOST_PARTS = 10_000


class Part(NamedTuple):
    """A part that has arrived; numbers count from 1."""

    number: int
    etag: str
    size: int


class InParts(Protocol):
    """Objects in parts. Every call but `sign` does I/O, and raises as those of an `ArtifactStore`."""

    def begin(self, key: str, word: str) -> str:
        """The id of a new upload; `word` is whose word its object will be."""

    def begun(self, key: str) -> Iterator[tuple[str, float]]:
        """Uploads of this object that are neither complete nor aborted, and when they were begun."""

    def arrived(self, key: str, upload: str) -> list[Part]:
        """What has arrived; raises `NotFound` for an upload that is over."""

    def sign(self, key: str, upload: str, number: int, digest: str, size: int, expires: float) -> SignedPut:
        """Permission to send exactly the bytes of this digest as one part."""

    def complete(self, key: str, upload: str, parts: Sequence[Part], digests: Sequence[str]) -> None:
        """Makes the object appear; raises `NotFound` for an upload that is over."""

    def abort(self, key: str, upload: str) -> None:
        """Forgets what has arrived; no such upload is no error."""

    def word(self, key: str) -> str:
        """Whose word an object is; empty for one that was verified, was stored whole, or is not there."""

    def believe(self, key: str) -> None:
        """From now on an object is nobody's word: its bytes have been read, and are right."""

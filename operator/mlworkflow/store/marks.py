"""What is found to be needed: digests, in little memory. A set that may, with a chance of one in 10^7 for a million, hold one too many."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left

_FRESH = 1 << 16


class Marks:
    """Eight bytes for each digest, of which none is ever forgotten."""

    def __init__(self) -> None:
        self._sorted = array("Q")
        self._fresh: set[int] = set()

    def add(self, digest: str) -> bool:
        """Marks ``sha256:<64 hex>``; False if it was marked."""
        if digest in self:
            return False
        self._fresh.add(_short(digest))
        if len(self._fresh) >= _FRESH:
            self._sorted = array("Q", heapq.merge(self._sorted, sorted(self._fresh)))
            self._fresh.clear()
        return True

    def __contains__(self, digest: str) -> bool:
        number = _short(digest)
        at = bisect_left(self._sorted, number)
        return number in self._fresh or (at < len(self._sorted) and self._sorted[at] == number)

    def __len__(self) -> int:
        return len(self._sorted) + len(self._fresh)


def _short(digest: str) -> int:
    return int(digest[7:23], 16)

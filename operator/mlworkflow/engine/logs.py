"""Logs that are kept are bounded, and say so where something is missing. Pure."""

from __future__ import annotations

TRUNCATED = b"\n[... mlworkflow: truncated, this log is longer than %d KiB ...]\n"


def first(log: bytes, most: int) -> bytes:
    """The first `most` bytes of a log, with a line that says so where there is more."""
    return log if len(log) <= most else log[:most] + TRUNCATED % (most >> 10)


def last(log: bytes, most: int) -> bytes:
    """The last `most` bytes of a log, with a line that says so where there is more."""
    return log if len(log) <= most else (TRUNCATED % (most >> 10)).lstrip() + log[-most:]


class Both:
    """A log as it comes: its first `most` bytes, and of a longer one its last `end` bytes too."""

    def __init__(self, most: int, end: int) -> None:
        self._most, self._end = most, end
        self._first, self._last, self._is_longer = bytearray(), bytearray(), False

    def add(self, piece: bytes) -> None:
        room = self._most - len(self._first)
        self._first += piece[:room]
        self._is_longer |= len(piece) > room
        self._last += piece[room:]
        if len(self._last) > 2 * self._end:
            del self._last[: -self._end]

    def bytes(self) -> bytes:
        if not self._is_longer:
            return bytes(self._first)
        return bytes(self._first) + TRUNCATED % (self._most >> 10) + bytes(self._last[-self._end :])

"""Logs that are kept are bounded, and say so where something is missing. Pure."""

from __future__ import annotations

TRUNCATED = b"\n[... mlworkflow: truncated, this log is longer than %d KiB ...]\n"


def first(log: bytes, most: int) -> bytes:
    """The first `most` bytes of a log, with a line that says so where there is more."""
    return log if len(log) <= most else log[:most] + TRUNCATED % (most >> 10)


def last(log: bytes, most: int) -> bytes:
    """The last `most` bytes of a log, with a line that says so where there is more."""
    return log if len(log) <= most else (TRUNCATED % (most >> 10)).lstrip() + log[-most:]

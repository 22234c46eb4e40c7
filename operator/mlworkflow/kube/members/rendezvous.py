"""Rendezvous hashing: which of some members a key belongs to. Pure.

Everybody who knows the same members finds the same one, and when a member comes or goes only the keys move that are or were its own. Part of what
members of different versions agree on: the function never changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def owner(key: str, members: Iterable[str]) -> str | None:
    """The member with the highest weight for `key`; None where there is none."""
    return max(members, key=lambda member: (_weight(key, member), member), default=None)


def _weight(key: str, member: str) -> bytes:
    return blake2b(f"{member}\0{key}".encode(), digest_size=8).digest()

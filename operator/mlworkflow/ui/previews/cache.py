"""Artifacts as files on this machine, for as long as they are looked at; one cache for each site, so that nobody sees what another may read."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from mlworkflow.ui.failing import TOO_LARGE, Refusal

LARGEST = 512 << 20
"""Bytes of an artifact that is fetched to be looked at."""
ROOM = 2 << 30
"""Bytes of all of them."""


class Cache:
    """`root` is made when something is first kept, and removed by `close`."""

    def __init__(self, largest: int = LARGEST, room: int = ROOM) -> None:
        self._largest = largest
        self._room = room
        self._root: Path | None = None
        self._files: OrderedDict[str, tuple[Path, int]] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    def close(self) -> None:
        if self._root:
            shutil.rmtree(self._root, ignore_errors=True)
        self._root = None
        self._files.clear()

    async def file(self, key: str, pieces: AsyncGenerator[bytes, None]) -> Path:
        """The file of what `key` names, from its bytes where it is not here yet. Raises RunsError, and Refusal for what is too large."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if key not in self._files:
                self._files[key] = await self._fetched(key, pieces)
                self._make_room(key)
            else:
                await pieces.aclose()
            self._locks.pop(key, None)
        self._files.move_to_end(key)
        return self._files[key][0]

    async def _fetched(self, key: str, pieces: AsyncGenerator[bytes, None]) -> tuple[Path, int]:
        self._root = self._root or Path(tempfile.mkdtemp(prefix="mlwf-ui-"))
        path = self._root / hashlib.sha256(key.encode()).hexdigest()
        scratch, size = path.with_suffix(".part"), 0
        try:
            with scratch.open("wb") as file:
                async with aclosing(pieces):
                    async for piece in pieces:
                        size += len(piece)
                        if size > self._largest:
                            most = self._largest >> 20
                            raise Refusal(
                                TOO_LARGE, f"it has more than {most} MiB: too much to be looked at", "download it"
                            )
                        file.write(piece)
            os.replace(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)
        return path, size

    def _make_room(self, newest: str) -> None:
        total = sum(size for _, size in self._files.values())
        for key in [key for key in self._files if key != newest]:
            if total <= self._room:
                return
            path, size = self._files.pop(key)
            path.unlink(missing_ok=True)
            total -= size

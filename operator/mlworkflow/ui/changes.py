"""A count of changes, and those who wait for it to grow: how news goes from what watches to what tells."""

from __future__ import annotations

import asyncio


class Changes:
    """Of one event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._news = asyncio.Event()

    def tell(self) -> None:
        """Something has changed."""
        self.count += 1
        self._news.set()
        self._news = asyncio.Event()

    async def after(self, seen: int) -> int:
        """The count once it is higher than `seen`."""
        while self.count <= seen:
            await self._news.wait()
        return self.count

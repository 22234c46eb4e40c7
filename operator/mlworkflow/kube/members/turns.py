"""What is under way for which workflow, to be waited for or broken off."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class BrokenOff(Exception):
    """What was under way has been broken off."""


class Turns:
    """Everything that is done for a workflow is done `under` its uid."""

    def __init__(self) -> None:
        self._scopes: dict[str, set[asyncio.Timeout]] = defaultdict(set)
        self._is_calm = asyncio.Event()
        self._is_calm.set()
        self.is_closed = False

    @asynccontextmanager
    async def under(self, uid: str) -> AsyncIterator[None]:
        """Raises BrokenOff where it has been."""
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._scopes[uid].add(scope)
                self._is_calm.clear()
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            raise BrokenOff from None
        finally:
            self._scopes[uid].discard(scope)
            if not self._scopes[uid]:
                del self._scopes[uid]
            if not self._scopes:
                self._is_calm.set()

    def is_under_way(self, uid: str) -> bool:
        return uid in self._scopes

    async def break_off(self) -> None:
        """Break off everything; returns once nothing is under way. Nothing is begun meanwhile."""
        self.is_closed = True
        try:
            for scopes in list(self._scopes.values()):
                for scope in scopes:
                    scope.reschedule(-1.0)
            await self._is_calm.wait()
        finally:
            self.is_closed = False

"""Is the store there? Asked now and then, so that workflows say what they wait for and go on when it is back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mlworkflow.engine.engine import Engine
from mlworkflow.store.errors import StoreError

_log = logging.getLogger(__name__)


async def watch_store(
    engine: Engine,
    wake_all: Callable[[], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    every: float = 5.0,
) -> None:
    """Keep `engine.waiting` true to the store until cancelled."""
    while True:
        try:
            await asyncio.to_thread(engine.store.check)
        except StoreError as error:
            waiting = f"waiting for the object store: {error}"
        else:
            waiting = ""
        engine.is_store_known = True
        if waiting != engine.waiting:
            _log.log(logging.WARNING if waiting else logging.INFO, "%s", waiting or "the object store is back")
            engine.waiting = waiting
            wake_all()
        await sleep(every)

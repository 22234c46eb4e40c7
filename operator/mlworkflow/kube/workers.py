"""The workers that empty a queue.

Trouble with the API server and bugs alike put the key, and it alone, into backoff; they differ in what is logged.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mlworkflow.kube.errors import ApiError
from mlworkflow.kube.queue import K, ShutDown, WorkQueue

logger = logging.getLogger(__name__)

Reconcile = Callable[[K], Awaitable[float | None]]


async def run_workers(queue: WorkQueue[K], count: int, reconcile: Reconcile[K]) -> None:
    """Call `reconcile` for every key of `queue`, at most `count` at a time, until the queue is shut down.

    `reconcile` returns None, or after how many seconds it wants to see the key again.
    """
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(_work(queue, reconcile), name=f"worker-{number}")


async def _work(queue: WorkQueue[K], reconcile: Reconcile[K]) -> None:
    while True:
        try:
            key = await queue.get()
        except ShutDown:
            return
        try:
            again_in = await reconcile(key)
        except ApiError as error:
            delay = queue.add_rate_limited(key)
            logger.warning("key=%s: the API server says %s; trying again in %.1f s", key, error, delay)
        except Exception:
            delay = queue.add_rate_limited(key)
            logger.exception("key=%s: a bug; trying again in %.1f s", key, delay)
        else:
            queue.forget(key)
            if again_in is not None:
                queue.add_after(key, again_in)
        finally:
            queue.done(key)

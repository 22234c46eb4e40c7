"""The event loop of the Python interface, in a thread of its own: so that calls are plain calls everywhere, in a notebook too, whose own loop is running.

Nothing of a caller's loop or thread is touched; an interrupt of the caller ends what it waits for.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing
from typing import Any, TypeVar

T = TypeVar("T")
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def call(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, or raises."""
    future = asyncio.run_coroutine_threadsafe(work, _running())
    try:
        return future.result()
    finally:
        future.cancel()


def iterate(source: Callable[[], AsyncGenerator[T, None]], timeout: float | None = None) -> Iterator[T]:
    """What a generator gives, as it comes. Raises TimeoutError where it has not ended after so many seconds; it is closed then, as when the caller goes on with something else."""
    given: queue.SimpleQueue[tuple[T] | BaseException | None] = queue.SimpleQueue()
    deadline = None if timeout is None else time.monotonic() + timeout

    async def pump() -> None:
        try:
            async with aclosing(source()) as values:
                async for value in values:
                    given.put((value,))
            given.put(None)
        except BaseException as error:
            given.put(error)

    future = asyncio.run_coroutine_threadsafe(pump(), _running())
    try:
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                value = given.get(timeout=left)
            except queue.Empty:
                raise TimeoutError from None
            if value is None:
                return
            if isinstance(value, BaseException):
                raise value
            yield value[0]
    finally:
        future.cancel()


def _running() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="mlworkflow", daemon=True).start()
            _loop = loop
        return _loop

"""Plain calls of coroutines, also where another loop is running."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest
from mlworkflow.api import loop


async def test_a_call_within_a_running_loop() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert loop.call(work()) == 7


def test_what_is_raised_is_raised() -> None:
    async def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        loop.call(work())


def test_values_come_as_they_are_given_and_the_generator_is_closed() -> None:
    closed = threading.Event()

    async def values() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
            await asyncio.Event().wait()
        finally:
            closed.set()

    found = loop.iterate(values, timeout=0.5)
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(TimeoutError):
        next(found)
    assert closed.wait(60)


def test_an_error_in_the_middle() -> None:
    async def values() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("no more")

    found = loop.iterate(values)
    assert next(found) == 1
    with pytest.raises(ValueError, match="no more"):
        next(found)

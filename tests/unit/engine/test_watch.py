"""The watch on the store: everybody is told when it goes and when it comes back, and only then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from mlworkflow.engine.watch import watch_store

from tests.builders import a_workflow

from .world import Operator, World


async def test_everybody_is_told_once_when_the_store_goes_and_when_it_comes_back(tmp_path: Path) -> None:
    operator = Operator(a_workflow().step("a"), World(), tmp_path)
    away = [False, True, True, False, False]
    told: list[str] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == len(away):
            raise asyncio.CancelledError
        operator.store.is_away = away[len(slept)]

    with pytest.raises(asyncio.CancelledError):
        await watch_store(operator.engine, lambda: told.append(operator.engine.waiting), sleep, every=7.0)
    assert told == ["waiting for the object store: nobody answers", ""]
    assert slept == [7.0] * len(away)

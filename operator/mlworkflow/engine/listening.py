"""What trials print of their metric while they run, where a pruner may stop them by it: their logs, followed as `metric.pattern` says.

One task for each trial that runs, which reads its log from the beginning and counts what it finds, so that nothing counts twice. Of a trial that
ran before this operator did, what it has printed by then was another's to judge. Callers: `engine`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from mlworkflow.core.observation import Attempt, AttemptId, Seen
from mlworkflow.core.step import Step
from mlworkflow.core.study import objectives_of
from mlworkflow.engine.choosing import ChoiceFailed
from mlworkflow.engine.live import Live

if TYPE_CHECKING:
    from mlworkflow.engine.engine import Engine

_log = logging.getLogger(__name__)
AT_ONCE = 64
"""Logs of a workflow that are followed at the same time; the pruner hears nothing of what other trials print until one of these has ended."""
CALM = 0.3
"""Seconds for which lines are gathered."""
MOST = 1 << 20
"""Bytes of a log that wait to be looked at."""
AGAIN = 3.0
"""Seconds until a log that broke off is followed again."""


def listen(engine: Engine, live: Live, *, is_known: bool) -> None:
    """Follow the logs of the trials that run now, and of no others. `is_known`: they may have been heard before a start of the operator."""
    if live.is_overheard[0] is not live.plan:
        live.is_overheard = (live.plan, any(map(_is_overheard, live.workflow.all_steps().values())))
    if not live.is_overheard[1]:
        return
    for attempt in [attempt for attempt in live.listening if not live.is_under_way(attempt)]:
        live.listening.pop(attempt).cancel()
    for attempt, seen in engine.driver.attempts(live.workflow.uid).items():
        if seen.seen is Seen.RUNNING and attempt not in live.listening and _is_its_turn(live, attempt, seen):
            pattern = _pattern(live, attempt)
            if pattern and len(live.listening) < AT_ONCE:
                listener = _Listener(engine, live, attempt, seen.handle, pattern)
                live.listening[attempt] = asyncio.create_task(listener.run(is_known=is_known))


def _is_overheard(step: Step) -> bool:
    """Whether a step is, or has inside, a search whose trials may be stopped by what they print."""
    searches = (inner for inner in step.within() if inner.trial and inner.body.get("pruner"))
    return any(objectives_of(search.body)[0].pattern for search in searches)


def _is_its_turn(live: Live, attempt: AttemptId, seen: Attempt) -> bool:
    """Whether it runs: of trials that share a Pod one after the other does."""
    return live.is_under_way(attempt) and not (seen.aboard and live.run.tasks[attempt[0]].started_at is None)


def _pattern(live: Live, attempt: AttemptId) -> str:
    """What is looked for in the log of an attempt; empty where nobody would look at what is found."""
    if live.curves.trial_of(attempt) is None:
        return ""
    return objectives_of(live.plan.nodes[attempt[0]].owner.body)[0].pattern


class _Listener:
    """Of one attempt: `_found` counts the numbers so far."""

    def __init__(self, engine: Engine, live: Live, attempt: AttemptId, handle: str, pattern: str) -> None:
        self._engine, self._live, self._attempt = engine, live, attempt
        self._where = (live.workflow.namespace, live.workflow.uid, attempt, handle)
        self._pattern = pattern
        self._found = self._heard = 0

    async def run(self, *, is_known: bool) -> None:
        """Until the trial has ended. `is_known`: it may have been judged by what it has printed by now."""
        try:
            while True:
                try:
                    if is_known:
                        log = await self._engine.driver.log(*self._where)
                        self._heard, is_known = len(await self._numbers(log)), False
                    await self._follow()
                    return
                except ChoiceFailed:
                    raise
                except Exception as trouble:  # the API server is away, or a bug
                    _log.warning("%s: its log: %s", self._live.workflow.subject(self._attempt[0]), trouble)
                    self._found = 0
                    await asyncio.sleep(AGAIN)
        except ChoiceFailed as failure:  # the pattern takes too long: said again when the trial has ended
            _log.warning("%s: '%s': %s", self._live.workflow.subject(self._attempt[0]), self._pattern, failure)

    async def _follow(self) -> None:
        async with (
            aclosing(self._engine.driver.follow(*self._where)) as pieces,
            aclosing(_gathered(pieces)) as gathered,
        ):
            async for lines, is_last in gathered:
                numbers = await self._numbers(lines)
                until = self._found + len(numbers)
                heard = until if is_last else self._heard  # what is found at the end needs no answer
                if not self._live.is_under_way(self._attempt):
                    return  # its record holds what was known at its end
                self._live.curves.overhear(self._attempt, numbers, self._found, heard)
                self._found = until
                self._engine.wake(self._where[1])

    async def _numbers(self, text: bytes) -> list[float | None]:
        found = await self._engine.chooser.search_all(self._pattern, text.decode(errors="replace"))
        return [number for text in found for number in _numbers(text)]


async def _gathered(pieces: AsyncIterator[bytes]) -> AsyncGenerator[tuple[bytes, bool], None]:
    """Whole lines, those of a moment together, and whether they are the last; what comes faster than it is looked at waits."""
    buffer, news, taken = bytearray(), asyncio.Event(), asyncio.Event()

    async def read() -> None:
        async for piece in pieces:
            buffer.extend(piece)
            news.set()
            if len(buffer) > MOST:
                taken.clear()
                await taken.wait()

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: news.set())
    try:
        while True:
            await news.wait()
            if not reading.done():
                await asyncio.sleep(CALM)
            news.clear()
            is_over = reading.done()
            end = len(buffer) if is_over or len(buffer) > MOST else buffer.rfind(b"\n") + 1
            text = bytes(buffer[:end])
            del buffer[:end]
            taken.set()
            if text:
                yield text, is_over
            if is_over:
                reading.result()
                return
    finally:
        reading.cancel()


def _numbers(text: str) -> Iterator[float | None]:
    """The number in a text, if it is one; None where it is not finite."""
    with contextlib.suppress(ValueError):
        value = float(text)
        yield value if math.isfinite(value) else None

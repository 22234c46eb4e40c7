"""The output of a task: whole or its end, or as it comes."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from mlworkflow.runs.logs import log_of
from mlworkflow.runs.run import Run, Runs
from mlworkflow.ui.answers import LogPiece

BEGINNING = 256 << 10
"""Bytes of what there is already that a live log begins with."""
MOST = 64 << 20
"""Bytes of a log that are given at once; its end, where it is longer."""
SETTLE = 0.2
"""Seconds without anything new after which what has come so far is what there was already."""


async def end_of_log(runs: Runs, run: Run, task: str, attempt: int | None, tail: int) -> tuple[bytes, bool]:
    """The last `tail` bytes, and whether there are more before them. Raises RunsError."""
    most = min(tail, MOST)
    kept, is_cut = bytearray(), False
    async for piece in log_of(runs, run, task, attempt, follow=False):
        kept += piece
        if len(kept) > 2 * most:
            del kept[:-most]
            is_cut = True
    return bytes(kept[-most:]), is_cut or len(kept) > most


async def live_log(runs: Runs, run: Run, task: str, attempt: int | None) -> AsyncGenerator[LogPiece, None]:
    """The end of what there is, then what comes, until the attempt has ended. Raises RunsError."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces = cast("AsyncGenerator[bytes, None]", log_of(runs, run, task, attempt, follow=True))
    async with aclosing(_merged(pieces)) as merged:
        is_first = True
        async for piece in merged:
            if is_first and len(piece) > BEGINNING:
                _, _, piece = piece[-BEGINNING:].partition(b"\n")
            if text := decoder.decode(piece):
                yield LogPiece(text=text, is_reset=is_first)
                is_first = False


async def _merged(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """What comes quickly as one piece; of a flood, what there is every time that it stops or is large."""
    queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(maxsize=64)

    async def read() -> None:
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    await queue.put(piece)
        except Exception as error:
            await queue.put(error)
        else:
            await queue.put(None)

    reading = asyncio.create_task(read())
    try:
        is_first = True
        while True:
            got = await queue.get()
            buffer = bytearray()
            while isinstance(got, bytes):
                buffer += got
                if is_first and len(buffer) > 4 * BEGINNING:
                    del buffer[:-BEGINNING]
                elif not is_first and len(buffer) > BEGINNING:
                    break
                try:
                    got = await asyncio.wait_for(queue.get(), SETTLE)
                except TimeoutError:
                    break
            if buffer:
                yield bytes(buffer)
                is_first = False
            if isinstance(got, BaseException):
                raise got
            if got is None:
                return
    finally:
        reading.cancel()

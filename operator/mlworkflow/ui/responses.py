"""Answers as responses: JSON, events as they happen, bytes as they come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import quote

import msgspec
from starlette.responses import Response, StreamingResponse

from mlworkflow.core.errors import UserError
from mlworkflow.ui.answers import Nothing
from mlworkflow.ui.failing import problem_of

HEARTBEAT = 15.0
"""Seconds of silence after which a stream says that it is still there."""
Event = tuple[str, msgspec.Struct]
Events = AsyncGenerator[Event, None]
END: Event = ("end", Nothing())
_HERE = b": here\n\n"
_pumps: set[asyncio.Task[None]] = set()
_log = logging.getLogger(__name__)


def answered(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def streamed(events: Events) -> Response:
    """Server-sent events. What goes wrong is an event too, and the last."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_lines(events), media_type="text/event-stream", headers=headers)


async def sent(
    pieces: AsyncGenerator[bytes, None], name: str, media_type: str = "application/octet-stream"
) -> Response:
    """Bytes, to be saved as a file. Raises what the first of them raises."""
    first = await anext(pieces, b"")
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return StreamingResponse(_after(first, pieces), media_type=media_type, headers=headers)


async def _after(first: bytes, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        yield first
        async for piece in pieces:
            yield piece


async def _lines(events: Events) -> AsyncGenerator[bytes, None]:
    """The events go through a task of their own: what ends this generator may do so at any moment, and more than once."""
    yield _HERE
    queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)
    pump = asyncio.create_task(_pumped(events, queue))
    _pumps.add(pump)
    pump.add_done_callback(_pumps.discard)
    try:
        while True:
            try:
                piece = await asyncio.wait_for(queue.get(), HEARTBEAT)
            except TimeoutError:
                piece = _HERE
            if not piece:
                return
            yield piece
    finally:
        pump.cancel()


async def _pumped(events: Events, queue: asyncio.Queue[bytes]) -> None:
    async with aclosing(events):
        try:
            async for event in events:
                await queue.put(_event(*event))
        except UserError as error:
            await queue.put(_event("problem", problem_of(error)))
        except Exception:
            _log.exception("a stream of events")
    await queue.put(b"")


def _event(name: str, value: msgspec.Struct) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(value))

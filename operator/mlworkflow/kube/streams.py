"""The streams of the API server: lines that arrive in arbitrary pieces, and the watch events in them; logs, also of Pods that trials share."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

import orjson

from mlworkflow.core.riders import Part
from mlworkflow.kube.errors import Unavailable, error_from_status
from mlworkflow.kube.objects import Json


class WatchEvent(NamedTuple):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK; a bookmark's object has only a resourceVersion."""

    type: str
    object: Json


class LineSplitter:
    """Whole lines out of pieces; linear in their size however small the pieces are."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that `piece` completes, without their ends and without empty ones."""
        self._rest.append(piece)
        if b"\n" not in piece:
            return []
        lines = b"".join(self._rest).split(b"\n")
        self._rest = [lines.pop()]
        return [line for line in lines if line]

    def finish(self) -> None:
        """Say that the stream has ended. Raises Unavailable if that was in the middle of a line."""
        if any(self._rest):
            raise Unavailable(0, "Truncated", "the stream ended in the middle of a line")


def watch_event(line: bytes) -> WatchEvent:
    """The event on a line. Raises the error that an ERROR event carries (often Gone), and Unavailable for garbage."""
    try:
        event = orjson.loads(line)
        kind, obj = event["type"], event["object"]
        version = None if kind == "ERROR" else obj["metadata"]["resourceVersion"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Unavailable(0, "Garbage", f"not a watch event: {line[:200]!r}") from error
    if version is None:
        raise error_from_status(obj if isinstance(obj, dict) else {})
    return WatchEvent(kind, obj)


async def only(own: Part | None, log: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The part of a log that is one trial's, until it is over; all of it where the Pod is nobody else's (None)."""
    async with aclosing(log):
        async for piece in log:
            if found := own.of(piece) if own else piece:
                yield found
            if own and own.is_over:
                return
    if own and (rest := own.of(b"", is_last=True)):
        yield rest

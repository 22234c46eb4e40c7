"""How far a transfer is, on standard error of a terminal; elsewhere, and for what is small, nothing."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

SMALL = 8 << 20
"""Bytes that are there before anybody has read a bar."""


async def shown(pieces: AsyncGenerator[bytes, None], size: int, what: str) -> AsyncIterator[bytes]:
    """The pieces as they come, `size` bytes in all, told as `what`."""
    if size < SMALL or not sys.stderr.isatty():
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=size)
        async with aclosing(pieces):
            async for piece in pieces:
                progress.advance(task, len(piece))
                yield piece

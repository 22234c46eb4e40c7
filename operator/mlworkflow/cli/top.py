"""`mlwf top`: what runs, what waits and why, in all runs at once; drawn anew on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mlworkflow.cli.answers import ask, show
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import Output, at_a_place
from mlworkflow.runs.places import Place

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mlworkflow.runs.run import Runs
    from mlworkflow.runs.top import Line

_BELOW = 3  # lines of the terminal that the table leaves free


@at_a_place()
def top(
    place: Place,
    once: Annotated[bool, typer.Option("--once", help="Show it once, on a terminal too.")] = False,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", help="How often it is looked at.", min=0.5)
    ] = 2.0,
    output: Output = Format.TABLE,
) -> None:
    """Show what runs, what waits and why, in all runs at once.

    A line is a task that could go on by itself: it runs, or it waits for a Pod to start (with the reason of the node or the scheduler), for room (`parallelism`), a lock, a
    quota, the store, an approval, or its next attempt. A step that waits for other steps has no line. On a terminal the table is drawn anew until Ctrl-C; elsewhere, and with
    -o json, it is shown once. What Pods use is there where the cluster has a metrics API.
    """
    is_live = output is Format.TABLE and sys.stdout.isatty() and not once
    if is_live:
        ask(place, lambda runs: _drawn(runs, place, every))
        return
    found = ask(place, lambda runs: _looked(runs, place))
    show(output, [line.plain() for line in found], lambda: text(found, place.everywhere))


async def _looked(runs: Runs, place: Place) -> list[Line]:
    import asyncio

    from mlworkflow.runs.top import lines

    found, pods = await asyncio.gather(runs.list(place.everywhere), runs.pods(place.everywhere))
    return lines(found, pods, time.time(), runs.flags)


async def _drawn(runs: Runs, place: Place, every: float) -> None:
    import asyncio

    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            found = await _looked(runs, place)
            live.update(_table(found, place.everywhere, console.height - _BELOW), refresh=True)
            await asyncio.sleep(every)


def text(found: Sequence[Line], namespaces: bool) -> str:
    """The lines as a table without colors."""
    from mlworkflow.runs.text import table

    if not found:
        return "nothing runs, and nothing waits"
    return table(_headings(found, namespaces), [_cells(line, found, namespaces) for line in found])


def _table(found: Sequence[Line], namespaces: bool, height: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    waiting = sum(1 for line in found if line.why)
    title = f"{len(found) - waiting} run, {waiting} wait   {time.strftime('%H:%M:%S')}   Ctrl-C ends"
    grid = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="dim", header_style="bold")
    for heading in _headings(found, namespaces):
        grid.add_column(heading, no_wrap=True, overflow="ellipsis")
    for line in found[:height]:
        style = "yellow" if line.why else ""
        grid.add_row(*(Text(cell, style=style) for cell in _cells(line, found, namespaces)))
    if len(found) > height:
        grid.add_row(f"and {len(found) - height} more")
    return grid


def _headings(found: Sequence[Line], namespaces: bool) -> list[str]:
    usage = ["CPU", "MEMORY"] if _has_usage(found) else []
    return [*(["NAMESPACE"] if namespaces else []), "RUN", "TASK", "STATE", "FOR", *usage, "MESSAGE"]


def _cells(line: Line, found: Sequence[Line], namespaces: bool) -> list[str]:
    from mlworkflow.core.duration import human
    from mlworkflow.runs.text import size

    usage = []
    if _has_usage(found):
        cpu = "" if line.cpu is None else f"{line.cpu:.2f}"
        usage = [cpu, "" if line.memory is None else size(int(line.memory))]
    return [
        *([line.namespace] if namespaces else []),
        line.run,
        line.task or "-",
        f"waits: {line.why}" if line.why else "runs",
        "" if line.seconds is None else human(line.seconds),
        *usage,
        line.message,
    ]


def _has_usage(found: Sequence[Line]) -> bool:
    return any(line.cpu is not None for line in found)

"""What commands have in common: where they ask, how they answer, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from mlworkflow.cli.formats import Format, document
from mlworkflow.runs.places import Place, runs_at

if TYPE_CHECKING:
    from mlworkflow.cli.live import View
    from mlworkflow.runs.run import Run, Runs

T = TypeVar("T")
INTERRUPTED = 130


def ask(place: Place, action: Callable[[Runs], Awaitable[T]]) -> T:
    """What `action` finds out about the runs of a place."""

    async def asked() -> T:
        async with runs_at(place) as runs:
            return await action(runs)

    return do(asked())


def do(work: Coroutine[Any, Any, T]) -> T:
    """Work done on an event loop; Ctrl-C ends it, and the process with 130."""
    import asyncio

    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def view(quiet: bool, output: Format, flags: str = "") -> View:
    """How a run is shown while it runs; what a program reads from standard output stays apart from it."""
    from mlworkflow.cli import live

    return live.view(quiet=quiet, stream=sys.stdout if output is Format.TABLE else sys.stderr, flags=flags)


def show(output: Format, value: Any, text: Callable[[], str]) -> None:
    """Print `text` for people, `value` for programs."""
    print(text() if output is Format.TABLE else document(value, output))


def exit_as(*runs: Run) -> None:
    """Exit code 1 unless all of them succeeded."""
    if not all(run.phase == "Succeeded" for run in runs):
        raise typer.Exit(1)

"""A run while it runs: a table that is drawn anew on a terminal, one line per change elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from mlworkflow.cli.render import number, phase_of, told, took
from mlworkflow.cli.runs import Run, Runs
from mlworkflow.core.state import Phase

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {
    "Running": "cyan",
    "Succeeded": "green",
    "Failed": "red",
    "Cancelled": "yellow",
    "Skipped": "dim",
    "Pending": "dim",
}
_BELOW = 6  # lines of the terminal that the table leaves free


class View(Protocol):
    """Use in `with`; `show` takes the run as it is now."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...
    def show(self, run: Run) -> None: ...


def view(*, quiet: bool, stream: TextIO | None = None) -> View:
    """The view that fits where it is shown."""
    stream = stream or sys.stdout
    if quiet:
        return Quiet()
    return Live(stream) if stream.isatty() else Plain(stream, time.time)


async def followed(runs: Runs, name: str, view: View) -> Run:
    """Show a run until it has ended; the run as it is then. Raises NoSuchRun."""
    latest: Run | None = None
    with view:
        async for latest in runs.watch(name):
            view.show(latest)
    return latest or await runs.get(name)


class Quiet:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, run: Run) -> None:
        return None


class Plain(Quiet):
    """A line for each change of a step's or a trial's phase: ``12:00:03 train Succeeded 1.2s accuracy=0.95``."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._known: dict[str, tuple[str, int]] = {}
        self._workflow: tuple[str, str] | None = None

    def show(self, run: Run) -> None:
        workflow = (str(run.phase), run.status.get("message", ""))
        if workflow != self._workflow and not run.phase.is_finished:  # its end is told by the caller, with what it left
            self._say(run.id, *workflow)
        self._workflow = workflow
        for task, status in run.tasks():
            standing = (phase_of(status), int(status.get("attempts") or 0))
            if self._known.get(task) != standing:
                self._known[task] = standing
                words = told(status)
                if status.get("value") is not None:
                    words = f"value={number(status['value'])}"
                is_over = Phase(standing[0]).is_finished
                self._say(task, standing[0], took(status, self._clock()) if is_over else "", words)
        for step in run.steps:  # those that never started: skipped, cancelled
            if not step.get("attempts") and phase_of(step) != Phase.PENDING and step["name"] not in self._known:
                self._known[step["name"]] = (phase_of(step), 0)
                self._say(step["name"], phase_of(step), "", told(step))

    def _say(self, *words: str) -> None:
        print(time.strftime("%H:%M:%S", time.localtime(self._clock())), *(word for word in words if word),
              file=self._stream, flush=True)  # fmt: skip


class Live(Quiet):
    """A table of the steps; durations go on between changes."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._run: Run | None = None
        self._console = Console(file=stream)
        self._live = RichLive(console=self._console, get_renderable=self._table, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, run: Run) -> None:
        self._run = run
        self._live.refresh()

    def _table(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        if self._run is None:
            return ""
        now = time.time()
        grid = Table(box=None, pad_edge=False, show_header=False)
        shown, hidden = _fitting(self._run, max(3, self._console.height - _BELOW))
        for step in shown:
            phase = phase_of(step)
            words = Text(told(step), no_wrap=True, overflow="ellipsis")
            grid.add_row(step["name"], Text(phase, style=_STYLES.get(phase, "")), took(step, now), words)
        status = self._run.status
        if hidden:
            grid.add_row("", "", "", f"and {hidden} more")
        grid.add_row(
            Text(self._run.id, style="bold"), str(self._run.phase), took(status, now),
            f"{status.get('progress', '')} {status.get('message', '').partition(chr(10))[0]}",
        )  # fmt: skip
        return grid


def _fitting(run: Run, height: int) -> tuple[list[Mapping[str, Any]], int]:
    """The steps that a table of this height has room for, in their order, and how many are left out; what runs stays."""
    steps = run.steps
    if len(steps) <= height:
        return steps, 0
    rank = {"Running": 0, "Failed": 1, "Pending": 2}
    first = sorted(range(len(steps)), key=lambda index: rank.get(phase_of(steps[index]), 3))[: height - 1]
    return [steps[index] for index in sorted(first)], len(steps) - height + 1

"""A run while it runs: a table that is drawn anew on a terminal, one line per change elsewhere, or nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from mlworkflow.cli.render import first_line, phase_of, progress_of, standing, told, took, words_of
from mlworkflow.core import paths
from mlworkflow.core.state import Phase
from mlworkflow.runs.rows import MOST, Row, remarks, rows
from mlworkflow.runs.run import Run, Runs

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
MANY = 50
"""Tasks of a step that have lines of their own where there is no terminal."""
_AGAIN = 0.3
_BELOW = 6  # lines of the terminal that the table leaves free


class View(Protocol):
    """Use in `with`; `show` takes the run as it is now."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...
    def show(self, run: Run) -> None: ...


def view(*, quiet: bool, stream: TextIO | None = None, flags: str = "") -> View:
    """The view that fits where it is shown. `flags` are those of commands that it suggests."""
    stream = stream or sys.stdout
    if quiet:
        return Quiet()
    return Live(stream, flags) if stream.isatty() else Plain(stream, time.time, flags)


async def followed(runs: Runs, name: str, view: View) -> Run:
    """Show a run until it has ended; the run as it is then. Raises NoSuchRun."""
    latest: Run | None = None
    with view:
        async for latest in runs.watch(name):
            view.show(latest)
    return latest or await runs.get(name)


async def followed_again(runs: Runs, name: str, request: str, view: View) -> Run:
    """As `followed`, from when a request to run steps again has been taken up: before that, a run may seem to have ended."""
    while True:
        run = await runs.get(name)
        if run.status.get("rerun") == request:
            return await followed(runs, name, view)
        await asyncio.sleep(_AGAIN)


class Quiet:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, run: Run) -> None:
        return None


class Plain(Quiet):
    """A line for each change of a task's phase: ``12:00:03 train Succeeded 1.2s accuracy=0.95``.

    Of a step that is made of many tasks, those that fail have lines, at most `MOST`, and the step has one for every tenth of the way.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float], flags: str = "") -> None:
        self._stream = stream
        self._flags = flags
        self._clock = clock
        self._known: dict[str, tuple[str, int]] = {}
        self._failed: Counter[str] = Counter()
        self._workflow: tuple[str, ...] = ()

    def show(self, run: Run) -> None:
        asked = tuple(remarks(run, self._flags))
        workflow = (standing(run), first_line(run.status.get("message", "")), *asked)
        if workflow != self._workflow and not run.phase.is_finished:  # its end is told by the caller, with what it left
            if workflow[:2] != self._workflow[:2]:
                self._say(run.id, *workflow[:2])
            for words in asked:
                if "mlwf " in words and words not in self._workflow:  # the question itself is told with its task
                    self._say(words.strip())
        self._workflow = workflow
        for task, status in run.tasks():
            step = paths.step_of(task)
            if step == task or (len(run.inside(step)) <= MANY and not _is_large(run, step)):
                self._tell(task, status)
            elif status.get("phase") == Phase.FAILED and task not in self._known:
                self._failed[step] += 1
                if self._failed[step] <= MOST:
                    self._tell(task, status)
                self._known[task] = (str(Phase.FAILED), 0)
        for one in run.steps:  # those that never started: skipped, cancelled
            if not one.get("attempts") and phase_of(one) != Phase.PENDING and one["name"] not in self._known:
                self._known[one["name"]] = (phase_of(one), 0)
                self._say(one["name"], phase_of(one), "", told(one))

    def _tell(self, task: str, status: Mapping[str, Any]) -> None:
        ended, known = progress_of(status)
        standing = (phase_of(status), int(status.get("attempts") or 0) if known <= MANY else ended * 10 // known)
        if self._known.get(task) == standing:
            return
        self._known[task] = standing
        is_over = Phase(standing[0]).is_finished
        words = words_of(Row(task, status, status.get("progress", "") if not is_over else ""))
        self._say(task, standing[0], took(status, self._clock()) if is_over else "", words)

    def _say(self, *words: str) -> None:
        print(time.strftime("%H:%M:%S", time.localtime(self._clock())), *(word for word in words if word),
              file=self._stream, flush=True)  # fmt: skip


class Live(Quiet):
    """A table of the steps; durations go on between changes."""

    def __init__(self, stream: TextIO, flags: str = "") -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._run: Run | None = None
        self._flags = flags
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
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        if self._run is None:
            return ""
        now = time.time()
        grid = Table(box=None, pad_edge=False, show_header=False)
        asked = list(remarks(self._run, self._flags))
        shown, hidden = _fitting(list(rows(self._run)), max(3, self._console.height - _BELOW - len(asked)))
        for row in shown:
            name = Text("  " * row.depth + row.name)
            if row.task is None:
                grid.add_row(Text(row.name, style="dim"))
                continue
            phase = phase_of(row.task)
            words = Text(words_of(row), no_wrap=True, overflow="ellipsis")
            grid.add_row(name, Text(phase, style=_STYLES.get(phase, "")), took(row.task, now), words)
        status = self._run.status
        if hidden:
            grid.add_row("", "", "", f"and {hidden} more")
        grid.add_row(
            Text(self._run.id, style="bold"), standing(self._run), took(status, now),
            Text(f"{status.get('progress', '')} {first_line(status.get('message', ''))}"),
        )  # fmt: skip
        return Group(grid, *(Text(words, style="yellow") for words in asked)) if asked else grid


def _fitting(lines: Sequence[Row], height: int) -> tuple[list[Row], int]:
    """The lines that a table of this height has room for, in their order, and how many are left out; what runs stays."""
    if len(lines) <= height:
        return list(lines), 0
    rank = {"Running": 0, "Failed": 1, "Pending": 2}
    ranks = [3 if line.task is None else rank.get(phase_of(line.task), 3) + line.depth for line in lines]
    first = sorted(range(len(lines)), key=ranks.__getitem__)[: height - 1]
    return [lines[index] for index in sorted(first)], len(lines) - height + 1


def _is_large(run: Run, step: str) -> bool:
    """Whether a step is made of many tasks, some of which its status may not show."""
    return progress_of(run.known.get(step, {}))[1] > MANY

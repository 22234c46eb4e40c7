"""`mlwf run` and `mlwf retry`: a workflow run to its end on this machine, shown as it runs, ended cleanly with Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlworkflow.cli.live import View
from mlworkflow.local.home import Home
from mlworkflow.local.runner import LocalRunner
from mlworkflow.local.taking_up import taken_up
from mlworkflow.runs.run import Run

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopper:
    """The first signal asks for a clean end, the second kills, the third waits for nothing; `signal` is the first."""

    def __init__(self, runner: LocalRunner, task: asyncio.Task[Any]) -> None:
        self._runner = runner
        self._task = task
        self.signal: signal.Signals | None = None
        self._count = 0

    def stop(self, number: signal.Signals) -> None:
        self._count += 1
        self.signal = self.signal or number
        if self._count == 1:
            _say("stopping… (again: kill)")
            self._runner.cancel()
        elif self._count == 2:
            _say("killing…")
            self._runner.kill()
        else:
            self._task.cancel()


async def run_locally(home: Path, resource: Mapping[str, Any], view: View) -> tuple[Run, signal.Signals | None]:
    """The run at its end, and the signal that ended it, if one did. Raises SpecError with nothing started."""
    return await _executed(LocalRunner(Home(home), resource, lambda run: view.show(Run(run.id, run.resource))), view)


async def go_on_locally(
    home: Path, run_id: str, patch: Mapping[str, Any], view: View
) -> tuple[Run, signal.Signals | None]:
    """As `run_locally`, for a run that is there already, with a patch of its spec. Raises SpecError, Taken."""
    runner = taken_up(Home(home), run_id, patch, lambda run: view.show(Run(run.id, run.resource)))
    return await _executed(runner, view)


async def _executed(runner: LocalRunner, view: View) -> tuple[Run, signal.Signals | None]:
    # What the gateway and the engine log is for operators; here it would come between the lines of the view.
    logging.basicConfig(level=logging.INFO if os.environ.get("MLWF_DEBUG") else logging.CRITICAL)
    with view:
        task = asyncio.create_task(runner.execute())
        stopper = Stopper(runner, task)
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, stopper.stop, number)
        try:
            with suppress(asyncio.CancelledError):
                await task
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
    return Run(runner.run.id, runner.run.resource), stopper.signal


def _say(words: str) -> None:
    print(f"mlwf: {words}", file=sys.stderr, flush=True)

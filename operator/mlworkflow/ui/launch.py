"""A process that carries out one local run, which goes on when the page is closed: `python -m mlworkflow.ui.launch`.

It reads ``{"home", "resource"}`` for a new run, or ``{"home", "run", "patch"}`` for one to go on with, from its standard input, and says ``{"run"}`` or
``{"problems", "hint"}`` on its standard output, once. Then it runs to the end; a first SIGTERM or SIGINT cancels the run cleanly.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlworkflow.core.errors import UserError
from mlworkflow.local.home import Home, LocalRun
from mlworkflow.local.runner import LocalRunner
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.going_on import taken_up


async def launched(home: Path, asked: Mapping[str, Any]) -> str:
    """Have another process carry out what is asked for; the id of the run. Raises SpecError, RunsError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mlworkflow.ui.launch",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps({"home": str(home), **asked}).encode())
    process.stdin.close()
    line = await process.stdout.readline()
    if not line:
        raise RunsError("the process that was to run it ended at once", "try it by hand: mlwf run FILE")
    said = json.loads(line)
    if "run" in said:
        return str(said["run"])
    raise RunsError(said["problem"], said["hint"])


async def _carry_out(asked: Mapping[str, Any]) -> None:
    home = Home(Path(asked["home"]))
    try:
        if "resource" in asked:
            runner = LocalRunner(home, asked["resource"], _nothing)
        else:
            runner = taken_up(home, asked["run"], asked["patch"], _nothing)
    except UserError as error:
        _say({"problem": str(error), "hint": getattr(error, "hint", "")})
        return
    home.save(runner.run)  # whoever asked may look at it at once
    _say({"run": runner.run.id})
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runner.cancel)
    await runner.execute()


def _nothing(_: LocalRun) -> None:
    """Who shows the run looks at its file."""


def _say(words: Mapping[str, Any]) -> None:
    print(json.dumps(words), flush=True)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)
    asyncio.run(_carry_out(json.load(sys.stdin)))

"""A local run in a process of its own, which goes on when whoever began it ends: `start` begins one and `go_on` takes one up that nobody runs;
`python -m mlworkflow.local.detached HOME` is that process.

It is told on its standard input what to run, ``{"resource"}`` or ``{"run", "patch"}``, and answers with one line of JSON: the run it has begun, or what is wrong. After that it is like any other run of
the folder: looked at, stopped and taken up by its id. Its own troubles are in `detached.log` there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlworkflow.core.errors import Problem, SpecError, UserError
from mlworkflow.local.home import Home, LocalRun
from mlworkflow.local.runner import LocalRunner
from mlworkflow.local.taking_up import taken_up

LOG = "detached.log"
_begun: list[subprocess.Popen[str]] = []
"""Held until they have ended, so that none of them stays a zombie."""


class NotBegun(UserError):
    """The process ended before it had begun the run."""


def start(root: Path, resource: Mapping[str, Any]) -> LocalRun:
    """Begin a run of a resource; what it is called is known when this returns. Raises SpecError, UserError."""
    return _begin(root, {"resource": resource})


def go_on(root: Path, run_id: str, patch: Mapping[str, Any]) -> LocalRun:
    """Take up a run with a patch of its spec; it is on its way when this returns. Raises SpecError, UserError."""
    return _begin(root, {"run": run_id, "patch": patch})


def _begin(root: Path, asked: Mapping[str, Any]) -> LocalRun:
    _begun[:] = [process for process in _begun if process.poll() is None]
    root.mkdir(parents=True, exist_ok=True)
    with (root / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(root.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # an interrupt at the keyboard is for the caller
        )
    assert process.stdin
    assert process.stdout
    with process.stdin, process.stdout, suppress(BrokenPipeError):
        process.stdin.write(json.dumps(asked))
        process.stdin.close()
        line = process.stdout.readline()
    said = json.loads(line or "{}")
    if "name" in said:
        _begun.append(process)
        return LocalRun(said["name"], said["number"], said["resource"])
    process.wait()
    if "problems" in said:
        raise SpecError([Problem(**problem) for problem in said["problems"]])
    raise NotBegun(said.get("error") or f"the run could not be begun: {root / LOG} says why")


def main() -> int:
    root, asked = Path(sys.argv[1]), json.load(sys.stdin)
    answer, sys.stdout = sys.stdout, sys.stderr
    logging.basicConfig(level=logging.INFO if os.environ.get("MLWF_DEBUG") else logging.CRITICAL)
    return asyncio.run(_run(Home(root), asked, answer))


async def _run(home: Home, asked: Mapping[str, Any], answer: Any) -> int:
    def say(**said: Any) -> None:
        print(json.dumps(said), file=answer, flush=True)
        answer.close()

    try:
        runner = _runner(home, asked)
    except SpecError as error:
        say(problems=[{"path": problem.path, "message": problem.message} for problem in error.problems])
        return 1
    except UserError as error:
        say(error=str(error))
        return 1
    home.save(runner.run)
    say(name=runner.run.name, number=runner.run.number, resource=runner.run.resource)
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, runner.cancel)
    await runner.execute()
    return 0


def _runner(home: Home, asked: Mapping[str, Any]) -> LocalRunner:
    if "run" in asked:
        return taken_up(home, asked["run"], asked["patch"], lambda run: None)
    return LocalRunner(home, asked["resource"], lambda run: None)


if __name__ == "__main__":
    sys.exit(main())

"""Ctrl-C: the first ends a run cleanly, the second at once, and neither leaves a process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.component.cli.conftest import Shell

Sh = Callable[..., dict[str, Any]]
POLITE = 'trap "echo saving; exit 1" TERM; touch $MARK; while true; do sleep 0.05; done'
STUBBORN = 'trap "" TERM; touch $MARK; while true; do sleep 0.05; done'


def started(mlwf: Shell, sh: Sh, script: str, *words: str) -> subprocess.Popen[str]:
    """A run whose only step has got going."""
    mark = mlwf.folder / "mark"
    file = mlwf.write(
        "w", [sh("one", script, env=[{"name": "MARK", "value": str(mark)}]), sh("two", "true", after=["one"])]
    )
    process = mlwf.start("run", file, *words)
    deadline = time.monotonic() + 30
    while not mark.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def left_behind(mlwf: Shell) -> list[str]:
    """Processes that have something to do with the test's folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ, open(f"/proc/{pid}/cmdline", "rb") as command:
                if str(mlwf.folder).encode() in environ.read():
                    found.append(command.read().decode())
        except OSError:
            continue
    return [command for command in found if command]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_first_signal_ends_it_cleanly(mlwf: Shell, sh: Sh, number: signal.Signals, code: int) -> None:
    process = started(mlwf, sh, POLITE)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "stopping" in err
    assert "Traceback" not in err
    assert "w.1 cancelled in" in out
    assert left_behind(mlwf) == []
    status = mlwf.json("get", "w")["status"]
    assert status["phase"] == "Cancelled"
    assert "saving" in mlwf("logs", "w", "one"), "the step was told, and had time to save"


def test_the_second_kills_what_does_not_listen(mlwf: Shell, sh: Sh) -> None:
    process = started(mlwf, sh, STUBBORN, "-q")
    process.send_signal(signal.SIGINT)
    time.sleep(1.0)
    assert process.poll() is None, "it waits for the step"
    assert left_behind(mlwf)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "killing" in err
    assert left_behind(mlwf) == []


def test_a_run_whose_process_was_killed_is_told_as_interrupted(mlwf: Shell, sh: Sh) -> None:
    mlwf.environ["MLWF_PATIENCE"] = "1"
    process = started(mlwf, sh, "touch $MARK; sleep 3", "-q")
    process.kill()
    process.communicate(timeout=10)
    run = mlwf.json("get", "w")
    assert run["status"]["phase"] == "Cancelled"
    assert run["status"]["message"].startswith("interrupted")
    assert mlwf.json("watch", "w", code=1)["id"] == "w.1"
    assert mlwf("delete", "w") == "w.1 deleted\n"
    deadline = time.monotonic() + 20
    while left_behind(mlwf):  # the step ends by itself, and then its agent does, which nobody listens to
        assert time.monotonic() < deadline
        time.sleep(0.1)

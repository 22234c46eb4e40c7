"""Processes that outlived the runner that started them: nobody hears them any more, and their work is about to be done again."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def end(folder: Path) -> int:
    """Kill what runs attempts in a folder; how many processes there were. Known by their environment, never by a number that another may have by now.

    Where there is no ``/proc``, as on macOS, none is found: agents end by themselves once their patience with the gateway is over.
    """
    mark, found = f"MLWF_ROOT={folder}{os.sep}".encode(), 0
    for environ in Path("/proc").glob("[0-9]*/environ"):
        pid = int(environ.parent.name)
        with contextlib.suppress(OSError):
            if pid != os.getpid() and mark in environ.read_bytes():
                os.kill(pid, signal.SIGKILL)
                found += 1
    return found

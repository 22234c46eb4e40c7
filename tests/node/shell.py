"""Running commands, saying what is done, and the one lock: the few verbs that every other module uses."""

import contextlib
import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from .errors import NodeError


def say(text: str) -> None:
    """Progress goes to stderr: stdout holds only what a shell may evaluate."""
    print(text, file=sys.stderr, flush=True)


def run(*command: object, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: bytes = b"") -> str:
    """Run a command to its end and return its stdout; a failure carries the end of what it said."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=cwd, env=env, input=stdin, capture_output=True)
    except FileNotFoundError:
        raise NodeError(f"{words[0]}: no such command") from None
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).decode(errors="replace").strip().splitlines()[-25:])
        raise NodeError(f"{' '.join(words)[:300]} ended with {done.returncode}:\n{said}")
    return done.stdout.decode(errors="replace")


def succeeds(*command: object) -> bool:
    return subprocess.run([str(word) for word in command], capture_output=True).returncode == 0


def wait_until(what: str, is_true: Callable[[], bool], *, seconds: float, hint: str = "") -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise NodeError(f"{what} after {seconds:g} s{hint}")
        time.sleep(0.05)


@contextlib.contextmanager
def locked(path: Path, doing: str) -> Iterator[None]:
    """Hold a file lock, so that two processes that want the same thing take turns; the kernel frees it on any death."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process: {doing}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

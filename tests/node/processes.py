"""The node's processes: starting them, and knowing exactly which are ours.

No pid files: a recorded pid can outlive its process and name someone else's. `/proc` is the record. A process is ours
if its program lies in our cache folder *and* its arguments name our state folder; what runs in containers is ours if
it is in our cgroup (`cgroups.py`). Nothing else is ever signalled.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from .constants import CACHE, NETNS, ROOT
from .families import search_path

# nsenter, not `ip netns exec`: the latter remounts /sys and so hides the cgroup file systems from the kubelet.
IN_NETNS = ("nsenter", f"--net=/run/netns/{NETNS}")


def start(name: str, command: Iterable[object], *, in_netns: bool = True) -> None:
    """Start a program in the node's network, apart from our terminal and process tree, logging to `log/<name>.log`."""
    words = [str(word) for word in command]
    log = ROOT / "log" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    # A clean environment: proxies, credentials and Go settings of the user's shell are no business of the node's.
    environment = {"PATH": search_path(), "HOME": str(ROOT), "LANG": "C.UTF-8"}
    with open(log, "ab") as output:
        subprocess.run(
            ["setsid", "--fork", *(IN_NETNS if in_netns else ()), *words],
            check=True,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


def ours() -> dict[int, str]:
    """Every live process of ours outside of containers: pid -> program name."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (name := _name_if_ours(entry)):
            found[int(entry.name)] = name
    return found


def pids(name: str) -> list[int]:
    return [pid for pid, program in ours().items() if program == name]


def is_stopped(pid: int) -> bool:
    """Whether a process is frozen by a signal (state T), as a fault test leaves it when it is interrupted."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False


def send(name: str, number: signal.Signals) -> None:
    for pid in pids(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def stop(name: str, *, seconds: float = 5) -> None:
    """End a program: ask, wait, then insist. A frozen process hears the request once it goes on."""
    send(name, signal.SIGTERM)
    send(name, signal.SIGCONT)
    if not _gone(name, seconds):
        send(name, signal.SIGKILL)
        _gone(name, 10)


def kill_all(wanted: Iterable[int]) -> None:
    for pid in wanted:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _gone(name: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while pids(name):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _name_if_ours(entry: Path) -> str:
    try:
        raw = (entry / "cmdline").read_bytes()
    except OSError:
        return ""
    words = raw.decode(errors="replace").rstrip("\0").split("\0")
    if words[: len(IN_NETNS)] == list(IN_NETNS):  # between fork and exec
        words = words[len(IN_NETNS) :]
    if words and words[0].startswith(f"{CACHE}/") and any(f"{ROOT}/" in word for word in words[1:]):
        return os.path.basename(words[0])
    return ""

"""The cgroup that every Pod of the node runs below, in each hierarchy: it tells which container processes are ours.

Works on both versions: one tree per controller (v1), or a single tree whose controllers must be handed down (v2).
"""

import contextlib
import time
from pathlib import Path

from .constants import CGROUP
from .processes import kill_all

_BASE = Path("/sys/fs/cgroup")


def _is_unified() -> bool:
    return (_BASE / "cgroup.controllers").exists()


def _roots() -> list[Path]:
    if _is_unified():
        return [_BASE / CGROUP]
    return [path / CGROUP for path in sorted(_BASE.iterdir()) if path.is_dir() and not path.is_symlink()]


def make() -> None:
    if _is_unified():
        for controller in (_BASE / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):  # some cannot be handed down; the kubelet says so if it needs them
                (_BASE / "cgroup.subtree_control").write_text(f"+{controller}")
    for root in _roots():
        root.mkdir(exist_ok=True)
    cpuset = _BASE / "cpuset"  # v1: a new cpuset is empty, and no process can enter it until it is filled
    if (cpuset / "cpuset.cpus").exists():
        for name in ("cpuset.cpus", "cpuset.mems"):
            (cpuset / CGROUP / name).write_text((cpuset / name).read_text())


def pids() -> set[int]:
    found: set[int] = set()
    for root in _roots():
        for folder in _folders(root):
            with contextlib.suppress(OSError):
                found.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
    return found


def remove() -> None:
    """Kill what still runs in our cgroup, then remove the whole tree, the deepest folders first."""
    deadline = time.monotonic() + 10
    while any(root.exists() for root in _roots()) and time.monotonic() < deadline:
        kill_all(pids())
        for root in _roots():
            for folder in reversed(_folders(root)):
                with contextlib.suppress(OSError):  # still dying: the next round gets it
                    folder.rmdir()
        time.sleep(0.02)


def is_there() -> bool:
    return any(root.exists() for root in _roots())


def _folders(root: Path) -> list[Path]:
    """A folder and all below it, parents first."""
    if not root.exists():
        return []
    found = [root]
    for folder in found:
        with contextlib.suppress(OSError):
            found.extend(path for path in folder.iterdir() if path.is_dir())
    return found

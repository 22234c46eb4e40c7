"""How long a step's container has run: by the clock of the kernel, from the start of the agent, which is the container's first process and the parent of this one.

Called where `MLWF_DEBUG` asks for it; the benchmark of starts on a real node reads what is said then.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

_STARTED = 19
"""The place of `starttime` behind the name of the program in /proc/PID/stat, from 0; the name may hold anything."""


def age_of(pid: int) -> float | None:
    """Seconds since a process began, to a hundredth; None where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_STARTED]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return None


def tell(kind: str) -> None:
    """One line on stderr."""
    if (age := age_of(os.getppid())) is not None:
        print(f"{kind} begins {age:.2f} s after its container", file=sys.stderr, flush=True)

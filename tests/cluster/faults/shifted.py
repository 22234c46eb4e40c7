"""`python shifted.py FILE`: the operator, with a wall clock that is off by the seconds that FILE holds, from the moment it holds any.

Only this one process is told the wrong time: the machine's clock stays as it is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path


def shifted(right: Callable[[], float], file: Path) -> Callable[[], float]:
    return lambda: right() + (float(file.read_text()) if file.exists() else 0.0)


if __name__ == "__main__":
    time.time = shifted(time.time, Path(sys.argv[1]))
    from mlworkflow.__main__ import main  # after the clock: whoever asks for the time is told the wrong one

    sys.exit(main())

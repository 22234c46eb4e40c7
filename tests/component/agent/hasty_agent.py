"""The agent, started as always, for which the time of its waits passes `HASTE` times as fast.

`HOSTS` may name a file of lines ``name address``, which is looked into as ``/etc/hosts`` is. Run by test_outages.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from mlworkflow_steps.agent import __main__ as agent
from mlworkflow_steps.agent.patience import Patience

HASTE = float(os.environ["HASTE"])
_getaddrinfo = socket.getaddrinfo


def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
    """As the system's, which does not know names that end in ``.invalid``."""
    lines = Path(os.environ["HOSTS"]).read_text().split("\n") if os.path.exists(os.environ.get("HOSTS", "")) else []
    known = dict(line.split() for line in lines if line)
    return _getaddrinfo(known.get(host, host), *arguments, **named)


socket.getaddrinfo = getaddrinfo
agent.Patience = functools.partial(  # type: ignore[misc]
    Patience, sleep=lambda seconds: time.sleep(seconds / HASTE), clock=lambda: time.monotonic() * HASTE
)
sys.exit(agent.main(sys.argv[1:], os.environ))

"""Parameters as the user's process finds them: in the environment and in one file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

LONGEST = 32 << 10
LONGEST_TOGETHER = 1 << 20  # a kernel takes about 2 MiB of arguments and environment


def environment(params: Mapping[str, Any]) -> dict[str, str]:
    """``MLWF_PARAM_<NAME>`` for each parameter that an environment can hold; the others are in the file only.

    Where all of them would be too much, the longest are left out. A string is passed as it is, anything else as JSON. Of two names that become one, the last in their order wins.
    """
    found = {}
    for name, value in sorted(params.items()):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if "\0" not in text and len(encoded := text.encode("utf-8", "surrogatepass")) <= LONGEST:
            found["MLWF_PARAM_" + re.sub("[^A-Z0-9]", "_", name.upper())] = encoded.decode("utf-8", "surrogateescape")
    excess = sum(map(len, found.values())) - LONGEST_TOGETHER
    for name in sorted(found, key=lambda name: len(found[name]), reverse=True):
        if excess <= 0:
            break
        excess -= len(found.pop(name))
    return found


def document(params: Mapping[str, Any]) -> bytes:
    """What the file named by ``MLWF_PARAMS`` holds."""
    return json.dumps(params).encode()

"""Parameters as the user's process finds them: in the environment and in one file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

LONGEST = 32 << 10


def environment(params: Mapping[str, Any]) -> dict[str, str]:
    """``MLWF_PARAM_<NAME>`` for each parameter that an environment can hold; the others are in the file only.

    A string is passed as it is, anything else as JSON. Of two names that become one, the last in their order wins.
    """
    found = {}
    for name, value in sorted(params.items()):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if "\0" not in text and len(encoded := text.encode("utf-8", "surrogatepass")) <= LONGEST:
            found["MLWF_PARAM_" + re.sub("[^A-Z0-9]", "_", name.upper())] = encoded.decode("utf-8", "surrogateescape")
    return found


def document(params: Mapping[str, Any]) -> bytes:
    """What the file named by ``MLWF_PARAMS`` holds."""
    return json.dumps(params).encode()

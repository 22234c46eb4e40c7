"""Which runs a folder of local runs has, by the names of its files alone.

For `Home`, and for completion in a shell, which has no time to import what reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_RUN = re.compile(r"(?P<name>.+)\.(?P<number>[0-9]+)\.json")


def run_files(root: Path) -> Iterator[tuple[str, int, Path]]:
    """The name of the workflow, the number, and the file of each run, in no order."""
    for path in (root / "runs").glob("*.json"):
        if match := _RUN.fullmatch(path.name):
            yield match["name"], int(match["number"]), path

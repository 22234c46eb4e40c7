"""What other processes ask of a run that is under way: merge patches of its spec, one file each, in the order of their numbers.

A request is there whole or not at all, no two have one number, and the runner deletes it once the run as it is saved has what it asks for. So
none is lost, and one that is carried out twice, because the runner was killed in between, changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Requests:
    """The requests in a folder, which is there as long as there are some."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, patch: Mapping[str, Any]) -> Path:
        """Ask; the file, which is gone when the request has been taken up."""
        with tempfile.NamedTemporaryFile("w", dir=self._folder.parent, prefix=f"{self._folder.name}.") as scratch:
            json.dump(patch, scratch)
            scratch.flush()
            while True:
                # The number may be somebody else's by now, and the folder may go at any moment: also while `mkdir` looks at what is there.
                with contextlib.suppress(FileExistsError, FileNotFoundError):
                    self._folder.mkdir(exist_ok=True)
                    path = self._folder / f"{max(self._numbers(), default=0) + 1}.json"
                    os.link(scratch.name, path)
                    return path

    def pending(self) -> list[tuple[Path, dict[str, Any]]]:
        """Those that have not been taken up, the first first."""
        found = []
        for number in sorted(self._numbers()):
            path = self._folder / f"{number}.json"
            with contextlib.suppress(FileNotFoundError):  # withdrawn
                found.append((path, json.loads(path.read_text())))
        return found

    def done(self, path: Path) -> None:
        """A request is taken up."""
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there are others
            self._folder.rmdir()

    def _numbers(self) -> list[int]:
        try:
            return [int(path.stem) for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []

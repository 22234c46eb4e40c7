"""What an attempt has finished, kept in the checkpoint folder, so that the next attempt goes on there and comes to the same result.

What is kept belongs to a `key`, the digest of everything it follows from: what another spec, table or version of this code has
left is removed. Everything is written under a name that checkpoints leave out and then renamed, so that nothing half-written is taken.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class Progress:
    """Keeps below `folder`; None keeps nothing."""

    def __init__(self, folder: Path | None, key: str) -> None:
        self._folder = None if folder is None else folder / key.removeprefix("sha256:")[:32]
        if folder is None or self._folder is None:
            return
        for other in folder.iterdir() if folder.is_dir() else []:
            if other != self._folder:
                shutil.rmtree(other) if other.is_dir() else other.unlink()
        self._folder.mkdir(parents=True, exist_ok=True)

    def value(self, name: str, compute: Callable[[], T]) -> T:
        """What `compute` gives, a JSON value: from an attempt before if it got that far."""
        if self._folder is None:
            return compute()
        file = self._folder / f"{name}.json"
        if file.exists():
            print(f"{name}: known from the attempt before", flush=True)
            known: T = json.loads(file.read_text(encoding="utf-8"))
            return known
        value = compute()
        part = file.with_name(f"{file.name}.tmp")
        part.write_text(json.dumps(value), encoding="utf-8")
        part.rename(file)
        return value

    def directory(self, name: str, path: Path, make: Callable[[Path], Any]) -> None:
        """Leaves at `path` the directory that `make` writes: from an attempt before if it got that far."""
        kept = None if self._folder is None else self._folder / name
        if kept is not None and kept.exists():
            print(f"{name}: known from the attempt before", flush=True)
            shutil.copytree(kept, path)
            return
        make(path)
        if kept is not None:
            part = kept.with_name(f"{kept.name}.tmp")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(path, part)
            part.rename(kept)

"""An artifact of a run, and what it holds. It is fetched when it is first looked at, verified by its digest, and kept for the life of this process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.api import files
from mlworkflow.runs.artifacts import Artifact as Known
from mlworkflow.runs.text import size as size_words

if TYPE_CHECKING:
    import pandas as pd


class Artifact:
    """`name` is ``train.model``; `type` is ``file``, ``directory`` or ``collection``, `size` its bytes as stored."""

    def __init__(self, known: Known, fetch: Callable[[Known, Path], Path]) -> None:
        """`fetch` brings it to a place where nothing is yet, and says where it is then."""
        self._known, self._fetch = known, fetch
        self.name, self.type = f"{known.task}.{known.name}", known.type
        self.size, self.digest = known.size, known.digest

    def path(self, destination: str | Path | None = None) -> Path:
        """The file or folder. Without `destination` it is one that goes with this process, and is not to be changed."""
        return self._kept if destination is None else self._fetch(self._known, Path(destination))

    def bytes(self) -> bytes:
        """The content of a file."""
        return self._kept.read_bytes()

    def text(self) -> str:
        """The content of a file of text."""
        return self._kept.read_text(encoding="utf-8")

    def json(self) -> Any:
        """The value in a file of JSON."""
        return json.loads(self.bytes())

    def dataframe(self) -> pd.DataFrame:
        """The table (Parquet or CSV). Raises ExtraMissing without the extra `steps`."""
        return files.read_frame(self._kept)

    def model(self) -> Any:
        """The model, an `mlworkflow_steps.Model`: `predict` of a DataFrame of raw rows. Raises ExtraMissing without the extra `steps`."""
        return files.read_model(self._kept)

    @cached_property
    def _kept(self) -> Path:
        place = _folder() / self.digest.replace(":", "-") / self._known.name
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            self._fetch(self._known, place)
        return place

    def __repr__(self) -> str:
        return f"<artifact {self.name}: {self.type}, {size_words(self.size)}, {self.digest[:19]}…>"


_folders: list[tempfile.TemporaryDirectory[str]] = []


def _folder() -> Path:
    """Where artifacts are kept; removed when the process ends."""
    if not _folders:
        _folders.append(tempfile.TemporaryDirectory(prefix="mlworkflow-"))
    return Path(_folders[0].name)

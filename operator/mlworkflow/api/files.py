"""What an artifact is as a value. Tables and models are read by the code that wrote them, `mlworkflow_steps`, which is imported when it is first needed: it is an extra."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.api.errors import ExtraMissing

if TYPE_CHECKING:
    import pandas as pd


def read_frame(path: Path) -> pd.DataFrame:
    """The table of a Parquet or CSV file, or of the one file of a folder. Its target, where one is named, is `attrs["target"]`."""
    table = _module("mlworkflow_steps.data.table", "a table").read_table(path)
    if table.target:
        table.frame.attrs.update(target=table.target, task=table.task)
    return table.frame  # type: ignore[no-any-return]


def read_model(path: Path) -> Any:
    """The model of a bundle: an `mlworkflow_steps.Model`."""
    return _module("mlworkflow_steps", "a model").load(path)


def pandas(what: str) -> Any:
    """The library. Raises ExtraMissing."""
    return _module("pandas", what)


def _module(name: str, what: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ExtraMissing(what, "steps", error.name or name) from error

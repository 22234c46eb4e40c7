"""A table on disk: CSV or Parquet to read, Parquet to write, the same bytes for the same data.

A written table says in its schema's metadata which column is the target and what task that makes, so that `train` needs no
second declaration. Parquet is written without pandas' own metadata, which differs from version to version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlworkflow_steps.data.sparse import COLUMN, frame_of, from_arrow, matrix_of, sparse_names, to_arrow
from mlworkflow_steps.errors import StepFailure, first_line

Task = Literal["classification", "regression", "multilabel", "multioutput", "clustering"]

FEATURES = "mlworkflow.features"
"""Where a table's metadata, and `attrs` of its frame, have the digest of the features that it holds. A table of raw rows has none."""

_METADATA_KEY = b"mlworkflow"
_MOST_CLASSES = 20


@dataclass(frozen=True, slots=True)
class Table:
    """Rows and columns; `target` and `task` are "" where nobody has named them. Columns `beside` the features say something about the rows (a fold, a weight, a group)."""

    frame: pd.DataFrame
    target: str = ""
    task: Task | Literal[""] = ""
    beside: tuple[str, ...] = ()


def read_table(path: Path, format_: str | None = None) -> Table:
    """The table of a file, or of a directory that holds one file. `format_`: csv or parquet, else by name, else by content."""
    file = only_file(path)
    try:
        if (format_ or _format(file)) == "parquet":
            return _read_parquet(file)
        return Table(pd.read_csv(file, float_precision="round_trip", low_memory=False))
    except (ValueError, OSError, pa.ArrowException) as error:
        raise StepFailure("SourceInvalid", f"'{path.name}' cannot be read as a table: {first_line(error)}") from error


def read_batches(path: Path, rows: int, format_: str | None = None) -> Iterator[Table]:
    """The same table in parts of at most so many rows, in bounded memory whatever its size; at least one, which may be empty."""
    file = only_file(path)
    try:
        if (format_ or _format(file)) == "parquet":
            yield from _parquet_batches(file, rows)
            return
        with pd.read_csv(file, float_precision="round_trip", low_memory=False, chunksize=rows) as reader:
            yield from (Table(frame.reset_index(drop=True)) for frame in reader)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise StepFailure("SourceInvalid", f"'{path.name}' cannot be read as a table: {first_line(error)}") from error


def write_table(table: Table, path: Path) -> None:
    """Parquet with fixed settings: same frame, same bytes."""
    names = sparse_names(table.frame)
    arrow = pa.Table.from_pandas(table.frame.drop(columns=names) if names else table.frame, preserve_index=False)
    plain = [field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field for field in arrow.schema]
    arrow = arrow.cast(pa.schema(plain))
    facts: dict[str, Any] = {"target": table.target, "task": table.task}
    if table.beside:
        facts["beside"] = list(table.beside)
    if names:
        facts["sparse"] = names
        arrow = arrow.append_column(COLUMN, to_arrow(matrix_of(table.frame[names])))
    metadata = {_METADATA_KEY: json.dumps(facts, sort_keys=True).encode()}
    if FEATURES in table.frame.attrs:
        metadata[FEATURES.encode()] = table.frame.attrs[FEATURES].encode()
    arrow = arrow.replace_schema_metadata(metadata)
    pq.write_table(arrow, path, compression="zstd", compression_level=3, version="2.6", row_group_size=1 << 20)


def task_of(target: pd.Series) -> Task:
    """What predicting this column is, by its type: texts and few whole numbers are classes, the rest is a quantity."""
    if pd.api.types.is_float_dtype(target):
        return "regression"
    if pd.api.types.is_integer_dtype(target) and target.nunique() > _MOST_CLASSES:
        return "regression"
    return "classification"


def _read_parquet(file: Path) -> Table:
    return _table_of(pq.read_table(file))


def _parquet_batches(file: Path, rows: int) -> Iterator[Table]:
    """Read through a buffer: by itself a reader takes in a whole row group, which may be the whole file."""
    with pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False) as source:
        if source.metadata.num_rows == 0:
            yield _table_of(source.schema_arrow.empty_table())
        for batch in source.iter_batches(rows):
            yield _table_of(pa.Table.from_batches([batch], source.schema_arrow))


def _table_of(arrow: pa.Table) -> Table:
    metadata = arrow.schema.metadata or {}
    facts = json.loads(metadata.get(_METADATA_KEY, b"{}"))
    if "sparse" in facts:
        matrix = from_arrow(arrow[COLUMN], len(facts["sparse"]))
        frame = pd.concat([frame_of(matrix, facts["sparse"]), arrow.drop_columns(COLUMN).to_pandas()], axis="columns")
    else:
        frame = arrow.to_pandas()
    if FEATURES.encode() in metadata:
        frame.attrs[FEATURES] = metadata[FEATURES.encode()].decode()
    return Table(frame, facts.get("target", ""), facts.get("task", ""), tuple(facts.get("beside", ())))


def only_file(path: Path) -> Path:
    """The file itself, or the single one in a directory."""
    if not path.is_dir():
        return path
    files = sorted(entry for entry in path.rglob("*") if entry.is_file())
    if len(files) != 1:
        raise StepFailure("SourceInvalid", f"'{path.name}' is a directory with {len(files)} files: a table is one file")
    return files[0]


def file_digest(path: Path) -> str:
    """The digest of a table's file, as the step contract defines it."""
    with only_file(path).open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _format(file: Path) -> Literal["csv", "parquet"]:
    if file.suffix == ".parquet":
        return "parquet"
    if ".csv" in file.suffixes:
        return "csv"
    with file.open("rb") as stream:
        return "parquet" if stream.read(4) == b"PAR1" else "csv"

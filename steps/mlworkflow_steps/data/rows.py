"""A Parquet file that is written part by part: same parts, same bytes, and no more memory than a part takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mlworkflow_steps.errors import StepFailure, first_line


class RowWriter:
    """The first part decides which type each column has. Use it in a `with`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:  # fmt: skip
        if self._file is not None:
            self._file.close()

    def write(self, columns: Mapping[str, Any]) -> None:
        """`columns`: name → values that Arrow can take, all equally long. Raises StepFailure (SourceInvalid) where a column is of another type than before."""
        part = pa.table({name: _array(values) for name, values in columns.items()})
        if self._file is None:
            self._file = pq.ParquetWriter(
                self._path, part.schema, compression="zstd", compression_level=3, version="2.6"
            )
        try:
            self._file.write_table(part.cast(self._file.schema))
        except pa.ArrowException as error:
            raise StepFailure(
                "SourceInvalid", f"a column of the rows changes its type on the way: {first_line(error)}; Parquet, which has types, would tell which"
            ) from error  # fmt: skip


def _array(values: Any) -> pa.Array:
    made = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
    return made.cast(pa.string()) if pa.types.is_large_string(made.type) else made

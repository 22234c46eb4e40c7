"""A page of a table and what its columns hold, by pyarrow, in a process of its own: the file is not ours, and a parser may crash or never end.

`python -m mlworkflow.ui.previews.table FILE FORMAT OFFSET LIMIT` prints a `TablePreview` as JSON.
"""

from __future__ import annotations

import asyncio
import io
import json
import math
import resource
import sys
from pathlib import Path
from typing import Any

import msgspec

from mlworkflow.runs.errors import RunsError
from mlworkflow.ui.answers import Stats, TableColumn, TablePreview
from mlworkflow.ui.previews.sniffing import HEAD, delimiter_of, text_of

COLUMNS = 200
LOOKED_AT = 1_000_000
"""Rows that statistics are of."""
CSV = 64 << 20
"""Bytes of a CSV file that are looked at."""
BINS, TOP, DISTINCT = 20, 10, 10_000
LONGEST = 500
"""Characters of a cell."""
PATIENCE = 60.0
MEMORY = 4 << 30
SAFE = 1 << 53


async def table_of(file: Path, format_: str, offset: int, limit: int) -> TablePreview:
    """Raises RunsError for what cannot be read."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mlworkflow.ui.previews.table", str(file), format_, str(offset), str(limit),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        answer, trouble = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        raise RunsError(f"it could not be read within {PATIENCE:g} s", "download it") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = trouble.decode(errors="replace").strip().rpartition("\n")[2][:300]
        raise RunsError(f"it cannot be read as {format_}: {last or f'the reader ended with {process.returncode}'}")
    return msgspec.json.decode(answer, type=TablePreview)


def _preview(file: Path, format_: str, offset: int, limit: int) -> TablePreview:
    sample, page, total = _READERS[format_](file, offset, limit)
    width = len(page.column_names)
    names = range(min(width, COLUMNS))
    return TablePreview(
        columns=[TableColumn(name=str(sample.column_names[i]), type=str(sample.schema.types[i]), stats=_stats(sample.column(i))) for i in names],
        rows=_rows(page.select([*names])),
        offset=offset,
        total=total,
        looked_at=sample.num_rows,
        left_out=max(0, width - COLUMNS),
        format=format_,
    )  # fmt: skip


def _parquet(file: Path, offset: int, limit: int) -> tuple[Any, Any, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = pq.ParquetFile(file)
    schema, total = source.schema_arrow, source.metadata.num_rows
    batches, seen, page, at = [], 0, [], 0
    for batch in source.iter_batches(batch_size=65536, use_threads=False):
        if seen < LOOKED_AT:
            batches.append(batch.slice(0, LOOKED_AT - seen))
            seen += batches[-1].num_rows
        begin, end = max(offset - at, 0), min(offset + limit - at, batch.num_rows)
        if begin < end:
            page.append(batch.slice(begin, end - begin))
        at += batch.num_rows
        if seen >= LOOKED_AT and at >= offset + limit:
            break
    return pa.Table.from_batches(batches, schema), pa.Table.from_batches(page, schema), total


def _csv(file: Path, offset: int, limit: int) -> tuple[Any, Any, int]:
    from pyarrow import csv

    with file.open("rb") as stream:
        data = stream.read(CSV)
        rest = b""
        if len(data) == CSV:
            data, _, rest = data.rpartition(b"\n")
        more = bool(rest) + sum(piece.count(b"\n") for piece in iter(lambda: stream.read(1 << 20), b"")) if rest else 0
    delimiter = delimiter_of(text_of(data[:HEAD]) or "") or ","
    options = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    reading = csv.ReadOptions(use_threads=False, block_size=max(len(data), 1))
    table = csv.read_csv(io.BytesIO(data), reading, options)
    return table.slice(0, LOOKED_AT), table.slice(offset, limit), table.num_rows + more


def _arrow(file: Path, offset: int, limit: int) -> tuple[Any, Any, int]:
    from pyarrow import feather

    table = feather.read_table(file, use_threads=False)
    return table.slice(0, LOOKED_AT), table.slice(offset, limit), table.num_rows


_READERS = {"parquet": _parquet, "csv": _csv, "arrow": _arrow}


def _stats(column: Any) -> Stats:
    import pyarrow as pa
    import pyarrow.compute as pc

    type_ = column.type
    if pa.types.is_dictionary(type_):
        column = pc.cast(column, type_.value_type)
        type_ = type_.value_type
    nulls = column.null_count
    if pa.types.is_nested(type_) or pa.types.is_null(type_):
        return Stats(nulls=nulls)
    distinct = pc.count_distinct(column, mode="only_valid").as_py()
    known = Stats(nulls=nulls, distinct=distinct if distinct <= DISTINCT else None)
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return _numbers(pc.cast(column, pa.float64(), safe=False).drop_null(), known)
    if pa.types.is_temporal(type_):
        ends = pc.min_max(column).as_py()
        return msgspec.structs.replace(known, min=_cell(ends["min"]), max=_cell(ends["max"]))
    counts = pc.value_counts(column.drop_null())
    order = pc.sort_indices(counts.field("counts"), sort_keys=[("", "descending")])[:TOP] if len(counts) else []
    return msgspec.structs.replace(
        known, top=[(_cell(counts[i.as_py()]["values"].as_py()), counts[i.as_py()]["counts"].as_py()) for i in order]
    )


def _numbers(values: Any, known: Stats) -> Stats:
    import pyarrow.compute as pc

    nans = pc.sum(pc.is_nan(values)).as_py() or 0
    finite = values.filter(pc.is_finite(values))
    if not len(finite):
        return msgspec.structs.replace(known, nulls=known.nulls + nans)
    low, high = (pc.min_max(finite)[end].as_py() for end in ("min", "max"))
    bins = [0] * BINS
    if high > low and math.isfinite(high - low):
        places = pc.min_element_wise(
            pc.floor(pc.multiply(pc.divide(pc.subtract(finite, low), high - low), float(BINS))), float(BINS - 1)
        )
        for each in pc.value_counts(places):
            bins[int(each["values"].as_py())] += each["counts"].as_py()
    else:
        bins[0] = len(finite)
    std = pc.stddev(finite, ddof=1).as_py() if len(finite) > 1 else None
    return msgspec.structs.replace(
        known, nulls=known.nulls + nans, min=_cell(low), max=_cell(high), mean=_number(pc.mean(finite).as_py()), std=_number(std), histogram=bins
    )  # fmt: skip


def _rows(page: Any) -> list[list[Any]]:
    columns = [[_cell(value) for value in column.to_pylist()] for column in page.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _cell(value: Any) -> Any:
    """As JSON: what it cannot say, as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < SAFE else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        value = value[: LONGEST // 2].hex()
    if isinstance(value, list | dict):
        value = json.dumps(value, default=str, ensure_ascii=False)
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(PATIENCE), int(PATIENCE)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _bounded()
    import pyarrow as pa

    pa.set_cpu_count(1)
    found = _preview(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    sys.stdout.buffer.write(msgspec.json.encode(found))

"""Features most of which are zero, such as the words of texts: pandas' sparse columns in memory, one column of lists on disk.

A Parquet file with a column for each of 20,000 words would be all headers. Here a row has its non-zero entries as (index, value) pairs in the
column `mlworkflow.sparse`, and the file's metadata has the names. Neither way is anything made dense: memory follows what is not zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

COLUMN = "mlworkflow.sparse"
_CHUNK = 1 << 16
_ENTRY = pa.struct([pa.field("index", pa.int32(), nullable=False), pa.field("value", pa.float64(), nullable=False)])


def sparse_names(frame: pd.DataFrame) -> list[str]:
    """The columns that are kept sparse."""
    return [str(name) for name, type_ in frame.dtypes.items() if isinstance(type_, pd.SparseDtype)]


def matrix_of(frame: pd.DataFrame) -> Any:
    """The frame of sparse columns as a SciPy matrix, row by row."""
    accessor: Any = frame.sparse
    matrix = accessor.to_coo().tocsr().astype(np.float64)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def frame_of(matrix: Any, names: Sequence[str], index: pd.Index | None = None) -> pd.DataFrame:
    """The matrix as a frame of sparse columns."""
    accessor: Any = pd.DataFrame.sparse
    made: pd.DataFrame = accessor.from_spmatrix(matrix, index=index, columns=list(names))
    return made


def take(frame: pd.DataFrame, positions: np.ndarray[Any, Any], matrix: Any = None) -> pd.DataFrame:
    """The rows at these positions: as `iloc`, which takes seconds where there are thousands of sparse columns. `matrix` is that of the frame, where it is known."""
    names = sparse_names(frame)
    if len(names) < frame.shape[1]:
        return frame.iloc[positions]
    whole = matrix_of(frame) if matrix is None else matrix
    taken = frame_of(whole[positions], names, frame.index[positions])
    taken.attrs = dict(frame.attrs)
    return taken


def to_arrow(matrix: Any) -> pa.ChunkedArray:
    """The rows as lists of entries."""
    chunks = []
    for start in range(0, matrix.shape[0], _CHUNK):
        part = matrix[start : start + _CHUNK]
        arrays = [pa.array(part.indices.astype(np.int32)), pa.array(part.data)]
        entries = pa.StructArray.from_arrays(arrays, fields=list(_ENTRY))
        chunks.append(pa.ListArray.from_arrays(pa.array(part.indptr.astype(np.int32)), entries))
    return pa.chunked_array(chunks, type=pa.list_(pa.field("element", _ENTRY, nullable=True)))


def from_arrow(column: pa.ChunkedArray, width: int) -> Any:
    """The matrix of lists that `to_arrow` made; `width` columns."""
    from scipy import sparse

    indices, values, lengths = [], [], []
    for chunk in column.chunks:
        entries = chunk.flatten()
        indices.append(entries.field("index").to_numpy(zero_copy_only=False))
        values.append(entries.field("value").to_numpy(zero_copy_only=False))
        lengths.append(np.diff(chunk.offsets.to_numpy()))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths) if lengths else [])]).astype(np.int64)
    joined = [np.concatenate(parts) if parts else np.empty(0) for parts in (values, indices)]
    return sparse.csr_matrix((joined[0], joined[1].astype(np.int32), starts), shape=(len(starts) - 1, width))

"""A table that is looked at part by part: what is wrong with all of it, and a few rows that stand for it, in memory that does not grow with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd

from mlworkflow_steps.data.anomalies import Anomaly
from mlworkflow_steps.data.columncheck import EXAMPLES, bad_values, check_columns, gaps
from mlworkflow_steps.data.schema import Schema

_OF_COLUMNS = ("NoRows", "ColumnMissing", "ColumnExtra", "LabelAbsent")
_GAPS = "MissingValues"


class Checked:
    """Rows without a label held against a schema. `add` every part, then ask for the anomalies of the whole."""

    def __init__(self, schema: Schema, table: str) -> None:
        self._schema = schema
        self._table = table
        self._found: dict[tuple[str, tuple[str, ...]], Anomaly] = {}
        self._missing: Counter[str] = Counter()
        self.rows = 0

    def add(self, frame: pd.DataFrame) -> None:
        """`frame` has the columns that the schema knows, and the same ones each time."""
        self.rows += len(frame)
        self._missing.update({str(name): int(count) for name, count in frame.isna().sum().items()})
        for anomaly in check_columns(frame, self._schema, self._table, labelled=False):
            key = anomaly.code, anomaly.columns
            self._found[key] = self._joined(self._found.get(key), anomaly)

    def anomalies(self) -> list[Anomaly]:
        """A share of missing values is one of the whole table, so it is told here."""
        found = [each for (code, _), each in self._found.items() if code != _GAPS]
        for name, rule in self._schema.columns.items():
            if rule.missing is not None and self.rows and self._missing[name] / self.rows > rule.missing:
                found.append(gaps(_GAPS, self._table, name, rule, self._missing[name], self.rows))
        return found

    def _joined(self, before: Anomaly | None, now: Anomaly) -> Anomaly:
        if before is None or now.code in (*_OF_COLUMNS, _GAPS):
            return now
        examples = tuple(dict.fromkeys([*before.examples, *now.examples]))[:EXAMPLES]
        (name,) = now.columns
        joined = bad_values(now.code, self._table, name, self._schema.columns[name], (before.rows or 0) + (now.rows or 0), examples)  # fmt: skip
        return replace(joined, minor=now.minor)


class Sample:
    """At most `size` rows, each as likely as any other to be among them, and the same ones every time. In the order of the table."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._random = np.random.default_rng(0)
        self._keys = np.empty(0)
        self._frame = pd.DataFrame()

    def add(self, frame: pd.DataFrame) -> None:
        keys = self._random.random(len(frame))
        limit = self._keys.max() if len(self._keys) == self._size else np.inf
        chosen = np.flatnonzero(keys < limit)
        joined = [part for part in (self._frame, frame.iloc[chosen]) if len(part)]
        if not joined:
            return
        keys = np.concatenate([self._keys, keys[chosen]])
        kept = np.sort(np.argsort(keys, kind="stable")[: self._size])
        self._frame, self._keys = pd.concat(joined, ignore_index=True).iloc[kept], keys[kept]

    def rows(self) -> pd.DataFrame:
        return self._frame.reset_index(drop=True)

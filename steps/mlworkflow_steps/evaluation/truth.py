"""What is true of each row of a test table, in the form of the model's task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import Table, Task
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models.columns import quantities_of, target_of, values_of
from mlworkflow_steps.models.scores import Array


class Truth(NamedTuple):
    """`values` as in `Outcome.true`; `labels` name its columns where a row has several."""

    values: Array
    labels: Array | None = None


def truth_of(table: Table, columns: Sequence[str], task: Task, classes: Sequence[Any], path: str) -> Truth:
    """Of several quantities `columns` are one for each; of several labels too, of 0 and 1, or a single one of lists. Clusters may have no target, or one to compare with.

    Raises StepFailure (ColumnNotFound, TargetInvalid).
    """
    named = [column for column in columns if column]
    if task == "clustering":
        known = [column for column in named if column in table.frame]
        return Truth(values_of(table.frame[known[0]]) if known else np.array([]))
    found = [target_of(table, column, path) for column in named] or [target_of(table, None, path)]
    if task not in ("multilabel", "multioutput"):
        values = table.frame[found[0]]
        if values.isna().any():
            raise StepFailure("TargetInvalid", f"{path}: column '{found[0]}' has {int(values.isna().sum()):,} missing values: rows without it cannot be judged")  # fmt: skip
        return Truth(values_of(values))
    if task == "multioutput":
        return Truth(quantities_of(table.frame, found, path), np.array(found, dtype=object))
    labels = np.array(list(classes), dtype=object)
    if len(found) > 1:
        return Truth(table.frame[found].to_numpy(dtype=np.int64), np.array(found, dtype=object))
    sets = [{plain(label) for label in value} for value in table.frame[found[0]]]
    return Truth(np.array([[label in has for label in labels] for has in sets], dtype=np.int64), labels)

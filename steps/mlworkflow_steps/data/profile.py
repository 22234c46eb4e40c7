"""What a table is like, as plain JSON: the `profile` artifact of `prep`, and the fuller one of the step kind `profile`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlworkflow_steps.data.association import association, correlated_pairs
from mlworkflow_steps.data.kinds import is_quantity, kind_of
from mlworkflow_steps.data.remarks import remarks
from mlworkflow_steps.data.statistics import column_facts, plain, words
from mlworkflow_steps.data.table import task_of
from mlworkflow_steps.errors import SpecInvalid

_WORDS_OF_A_TEXT = 3


def profile(
    frame: pd.DataFrame, target: str, *, train: pd.DataFrame, test: pd.DataFrame, origin: dict[str, Any], dropped: int
) -> dict[str, Any]:
    """`frame` is the whole table as divided; `dropped` rows had no target and are in neither part."""
    facts: dict[str, Any] = {
        "format": 1,
        "source": origin,
        "target": target,
        "task": task_of(frame[target]),
        "rows": len(frame),
        "train_rows": len(train),
        "test_rows": len(test),
        "dropped_rows": dropped,
        "columns": [column_facts(frame[name], "target" if name == target else "feature") for name in frame],
    }
    if facts["task"] == "classification":
        facts["classes"] = [
            row
            | {
                "train_rows": int((train[target] == label).sum()),
                "test_rows": int((test[target] == label).sum()),
            }
            for label, row in _classes(frame[target])
        ]
    return facts


def survey(frame: pd.DataFrame, target: str, *, text: str, origin: dict[str, Any]) -> dict[str, Any]:
    """A table as it is. `target` and `text` may be "": a table without a column to predict, and the text found by itself."""
    facts: dict[str, Any] = {
        "format": 1,
        "source": origin,
        "rows": len(frame),
        "duplicates": int(_comparable(frame).duplicated().sum()),
        "missing_share": float(frame.isna().to_numpy().mean()) if frame.size else 0.0,
        "target": target or None,
        "task": task_of(frame[target]) if target else None,
        "columns": [column_facts(frame[name], "target" if name == target else "feature") for name in frame],
    }
    if target:
        _add_associations(facts, frame, target)
    if facts["task"] == "classification":
        facts["classes"] = [row for _, row in _classes(frame[target])]
        counts = [row["rows"] for row in facts["classes"]]
        facts["smallest_class_share"] = min(counts) / sum(counts) if counts else None
    features = frame.drop(columns=target) if target else frame
    facts["correlated"] = [{"columns": [one, other], "correlation": r} for one, other, r in correlated_pairs(features)]
    if name := text or _text_column(features):
        facts["text"] = _text_facts(frame[name])
    facts["remarks"] = remarks(facts)
    return facts


def _classes(labels: pd.Series) -> list[tuple[Any, dict[str, Any]]]:
    counts = labels.value_counts(sort=False).sort_index()
    return [(label, {"class": plain(label), "rows": int(count)}) for label, count in counts.items()]


def _add_associations(facts: dict[str, Any], frame: pd.DataFrame, target: str) -> None:
    as_labels = facts["task"] == "classification"
    if not as_labels and not is_quantity(kind_of(frame[target])):
        return
    for column in facts["columns"]:
        if column["role"] == "feature" and (
            found := association(frame[column["name"]], frame[target], as_labels=as_labels)
        ):
            column["with_target"] = {"measure": found.measure, "strength": found.strength, "sign": found.sign}


def _comparable(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows with values that can be hashed: a cell may hold a list."""
    unfit = [name for name in frame if frame[name].dtype == object]
    return frame.assign(**{str(name): frame[name].map(repr) for name in unfit})


def _text_column(frame: pd.DataFrame) -> str:
    """The column with the longest texts, if there are texts of some words."""
    lengths = {str(name): words(frame[name])["median"] for name in frame if kind_of(frame[name]) == "text"}
    longest = max(lengths, key=lambda name: lengths[name], default="")
    return longest if lengths.get(longest, 0) >= _WORDS_OF_A_TEXT else ""


def _text_facts(values: pd.Series) -> dict[str, Any]:
    if kind_of(values) not in ("text", "category"):
        raise SpecInvalid("profile.text", f"column '{values.name}' holds no texts")
    found = words(values)
    samples = int(values.notna().sum())
    facts = {"column": str(values.name), "samples": samples, "words_per_sample": found["median"], "words": found}
    return facts | ({"samples_per_words": samples / found["median"]} if found["median"] else {})

"""The way of one row through a decision tree: every question that it is asked, and what the tree would say at each point."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import issparse

from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.evaluation.subject import Subject, without_names


@dataclass(frozen=True, slots=True)
class Question:
    """Is `feature` at most `limit`? `value` is the row's own (None: missing), `rows` how many training rows were answered the same way, and `said` what the tree says of
    these: a quantity, or a class with its `share`."""

    feature: str
    limit: float
    value: float | None
    holds: bool
    rows: int
    said: Any
    share: float | None


@dataclass(frozen=True, slots=True)
class TreePath:
    """`row` counts from 0 in the test table."""

    row: int
    questions: list[Question] = field(default_factory=list)


def tree_path(subject: Subject, row: int) -> TreePath | None:
    """None where the model is no single tree, or one of several targets."""
    estimator = getattr(subject.model, "estimator", subject.model)
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if getattr(last, "tree_", None) is None or last.tree_.n_outputs > 1:
        return None
    values, names = _asked(subject, estimator, row)
    tree = last.tree_
    with without_names():
        nodes = last.decision_path(values.reshape(1, -1)).indices
    questions = []
    for node, then in itertools.pairwise(nodes):
        place = int(tree.feature[node])
        value = float(values[place])
        said, share = _said(last, tree.value[then][0])
        questions.append(
            Question(
                feature=names[place],
                limit=float(tree.threshold[node]),
                value=None if np.isnan(value) else value,
                holds=bool(then == tree.children_left[node]),
                rows=int(tree.n_node_samples[then]),
                said=said,
                share=share,
            )
        )
    return TreePath(row, questions) if questions else None


def _asked(subject: Subject, estimator: Any, row: int) -> tuple[Any, Sequence[str]]:
    """What the tree sees of the row, and how that is called."""
    rows = subject.features.iloc[[row]]
    rows.attrs = subject.features.attrs
    frame = subject.model.features(rows) if hasattr(subject.model, "features") else rows
    if not hasattr(estimator, "steps") or len(estimator) < 2:
        return frame.to_numpy(dtype=float)[0], list(map(str, frame))
    made = estimator[:-1].transform(frame)
    made = made.toarray() if issparse(made) else made
    values = np.asarray(made, dtype=float)[0]
    try:
        names = list(map(str, estimator[:-1].get_feature_names_out()))
    except (AttributeError, ValueError):
        names = [f"feature {place}" for place in range(len(values))]
    plainer = [name.rpartition("__")[2] for name in names]  # without the part of the pipeline that made it
    return values, plainer if len(set(plainer)) == len(names) else names


def _said(tree: Any, value: Any) -> tuple[Any, float | None]:
    if not hasattr(tree, "classes_"):
        return float(value[0]), None
    most = int(np.argmax(value))
    return plain(tree.classes_[most]), float(value[most] / value.sum())

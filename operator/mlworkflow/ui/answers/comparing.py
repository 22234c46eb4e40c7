"""Runs beside each other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mlworkflow.ui.answers.base import Answer, Point
from mlworkflow.ui.answers.runs import RunRow


class CompareRow(Answer, frozen=True):
    """One thing in all runs."""

    kind: Annotated[Literal["phase", "param", "spec", "step", "input", "image", "code", "output", "metric"], "What it is."]  # fmt: skip
    where: Annotated[str, "`train.max_depth`, a path in the spec, `evaluate.accuracy`."]
    values: Annotated[list[Any], "Of each run, null where it has none."]
    differs: bool


class CompareSeries(Answer, frozen=True):
    """A metric on the way, in all runs."""

    task: str
    name: str
    runs: Annotated[list[list[Point] | None], "200 points of each run at most; null where it has none."]


class Comparison(Answer, frozen=True):
    """Runs beside each other."""

    runs: list[RunRow]
    rows: Annotated[list[CompareRow], "2,000 at most, those that differ first in each kind."]
    series: list[CompareSeries]
    left_out: Annotated[int, "Rows beyond them."] = 0

"""What an attempt says while it runs: its log and its metrics."""

from __future__ import annotations

from typing import Annotated

from mlworkflow.ui.answers.base import Answer, Point


class LogPiece(Answer, frozen=True):
    """The next piece of a log."""

    text: str
    is_reset: Annotated[bool, "What was shown before is to be dropped: another attempt, or the beginning."] = False


class Series(Answer, frozen=True):
    """The values of a metric on the way."""

    name: str
    points: Annotated[list[Point], "[step, value]; at most 2,000, evenly chosen, the last among them; a value is null where it was not a finite number."]  # fmt: skip
    total: Annotated[int, "Values that were sent."]


class Metrics(Answer, frozen=True):
    """Metrics of an attempt."""

    attempt: int
    series: list[Series]
    is_final: Annotated[bool, "The attempt has ended: nothing more comes."]

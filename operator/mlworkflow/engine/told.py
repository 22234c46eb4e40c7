"""A trial as a question to Optuna's process tells it, and that there is no answer. Callers: `engine.sampling`, `engine.judging`, in that process."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from optuna.trial import TrialState

from mlworkflow.core.errors import UserError
from mlworkflow.core.observation import Values


class Impossible(UserError):
    """Nothing can be chosen or decided; the message says why."""


class Told(msgspec.Struct, frozen=True):
    """A trial: its parameters, its values at its end, what the sampler noted with it, and of what it said on the way as much as the question needs."""

    params: dict[str, Any] = {}
    values: list[float] | None = None
    finished: bool = False
    noted: dict[str, Any] = {}
    study: dict[str, Any] = {}
    pruned: bool = False
    curve: Values = ()

    @property
    def state(self) -> TrialState:
        if not self.finished:
            return TrialState.RUNNING
        if self.pruned:
            return TrialState.PRUNED
        return TrialState.FAIL if self.values is None else TrialState.COMPLETE

    @property
    def final(self) -> list[float] | None:
        """Its values at its end; of one that was pruned the last that it said."""
        if not self.pruned:
            return self.values
        last = self.curve[-1][1] if self.curve else None
        return None if last is None else [last]

    def becomes(self, later: Told) -> bool:
        """Whether a later word of the same trial says no more than that it has gone on or has come to its end."""
        same = (self.params, self.noted, self.study) == (later.params, later.noted, later.study)
        return same and (self == later if self.finished else self.curve == later.curve[: len(self.curve)])


def number_of(value: float | None) -> float:
    """A value as Optuna knows it."""
    return math.nan if value is None else value

"""A search and its trials."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mlworkflow.ui.answers.base import Answer, Column, Point, TaskPhase, Time


class Objective(Answer, frozen=True):
    """A metric that a search is after."""

    name: str
    goal: Literal["maximize", "minimize"]


class Dimension(Answer, frozen=True):
    """A parameter of a search."""

    name: str
    kind: Annotated[Literal["float", "int", "choice", "fixed"], "fixed: the same in every trial."]
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: list[Any] = []


class Study(Answer, frozen=True):
    """A search. Trials are columns of the same length, by number."""

    task: str
    algorithm: Annotated[str, "grid, random, tpe, …"]
    pruner: Annotated[str, "Empty: none."]
    objectives: list[Objective]
    space: list[Dimension]
    max_trials: int | None
    number: list[int]
    tasks: Annotated[list[str], "The task of each trial."]
    phase: list[TaskPhase]
    reason: Annotated[list[str], "Pruned, … or empty."]
    message: Annotated[list[str], "Of those that failed, 300 characters at most; else empty."]
    started: list[Time]
    finished: list[Time]
    cached: list[bool]
    params: Annotated[dict[str, Column], "By parameter; null where a trial does not have it."]
    values: Annotated[dict[str, Column], "By objective; null where a trial has not left it."]
    curves: Annotated[dict[str, dict[str, list[Point]]], "By objective, then by a trial's number: [step, value] on the way, 200 at most; of a search with several objectives those of the newest 100 trials."]  # fmt: skip
    is_pareto: Annotated[list[bool], "No other trial beats it in every objective."]
    best: Annotated[int | None, "The number of the trial that is best in the first objective."]
    importances: Annotated[dict[str, dict[str, float]] | None, "By objective: what share each parameter has in it, sum 1; null: not known (the search's report has to have run)."]  # fmt: skip
    ended: Annotated[str, "Why it ended before `max_trials`; empty: it did not."]
    unlisted: Annotated[int, "Trials whose parameters are not known here (yet)."]

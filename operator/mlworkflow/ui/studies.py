"""A search as columns: from what it left of itself (`study`) where there is that, else from its trials as they stand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import msgspec

from mlworkflow.core import paths
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.state import Phase
from mlworkflow.core.study import best_of, objectives_of, pareto_of, study_of, values_of
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.run import Run
from mlworkflow.ui.answers import Dimension, Objective, Point, Study, TaskPhase
from mlworkflow.ui.look import Look
from mlworkflow.ui.series import thinned
from mlworkflow.ui.shown import cut, millis, phase_of

POINTS = 200
NEWEST, AT_ONCE = 100, 8
"""Trials of a search with several objectives whose curves are read, and how many at the same time."""
LARGEST = 64 << 20
"""Bytes of what a search leaves of itself that are read."""
Trial = Mapping[str, Any]


async def study_answer(look: Look, run: Run, task: str) -> Study:
    """Raises RunsError for what is no search."""
    drawing = await look.drawing(run)
    node = drawing.plan.nodes.get(task) if drawing.plan else None
    if node is None or node.owner.trial is None:
        raise Usage(f"task={task}: this is no search", "name a tune step")
    body = node.owner.body
    status = run.known.get(task, {})
    document = await _document(look, run, status, "study")
    trials = document["trials"] if document else await _trials(look, run, task, body)
    trials = sorted(trials, key=lambda trial: int(trial["number"]))
    study = _study(run, node.owner, body)
    objectives = [Objective(name=metric.name, goal=metric.goal) for metric in objectives_of(body)]
    valued = _valued(study, trials)
    front = set(document["pareto"] if document and document.get("pareto") else pareto_of(study, valued) if study and valued else ())  # fmt: skip
    best = document["best"] if document else best_of(study, valued) if study and valued else None
    space = _space(document or body)
    names = dict.fromkeys([*(each.name for each in space), *(name for trial in trials for name in trial["params"])])
    return Study(
        task=task,
        algorithm=next(iter(body.get("algorithm") or {"grid": {}})),
        pruner=next(iter(body.get("pruner") or {}), ""),
        objectives=objectives,
        space=space,
        max_trials=study.trials.max if study and isinstance(study.trials.max, int) else None,
        number=[trial["number"] for trial in trials],
        tasks=[paths.numbered(task, trial["number"]) for trial in trials],
        phase=[cast("TaskPhase", trial["phase"]) for trial in trials],
        reason=[trial["reason"] for trial in trials],
        message=[cut(trial["message"]) if trial["phase"] == Phase.FAILED else "" for trial in trials],
        started=[millis(trial["started"]) for trial in trials],
        finished=[millis(trial["finished"]) for trial in trials],
        cached=[bool(trial["cached"]) for trial in trials],
        params={name: [trial["params"].get(name) for trial in trials] for name in names},
        values={each.name: [trial["values"].get(each.name) for trial in trials] for each in objectives},
        curves=await _curves(look, run, task, trials, objectives),
        is_pareto=[trial["number"] in front for trial in trials],
        best=best,
        importances=await _importances(look, run, task),
        ended=str(document["ended"] if document else ""),
        unlisted=max(0, _known(status) - len(trials)),
    )


def _known(status: Mapping[str, Any]) -> int:
    return int(str(status.get("progress") or "0/0").partition("/")[2] or 0)


def _study(run: Run, step: Any, body: Mapping[str, Any]) -> Tune | None:
    """As it is evaluated; None where that needs what steps have left."""
    names = {"params": (run.resource.get("spec") or {}).get("params") or {}}
    with suppress(ExpressionError, msgspec.ValidationError, ValueError, KeyError):
        return study_of(step, names)
    return None


async def _trials(look: Look, run: Run, task: str, body: Mapping[str, Any]) -> list[Trial]:
    """As status and records tell them, with the metrics that they emit."""
    whole = await look.whole(run)
    metrics = [metric.name for metric in objectives_of(body)]
    found: list[Trial] = []
    for trial in whole.below(task):
        number = paths.segments(trial["name"])[-1].numbers[-1]
        values = {metrics[0]: trial["value"]} if trial.get("value") is not None else {}
        if len(metrics) > 1 and phase_of(trial) == Phase.SUCCEEDED:
            record = await look.record(run, trial["name"], int(trial.get("attempts") or 1) - 1)
            left = {**record.get("parameters", {}), **record.get("metrics", {})}
            values = {name: left[name] for name in metrics if isinstance(left.get(name), int | float)}
        found.append(
            {
                "number": number,
                "phase": str(phase_of(trial)),
                "reason": str(trial.get("reason") or ""),
                "message": str(trial.get("message") or ""),
                "params": trial.get("params") or {},
                "values": values,
                "started": trial.get("startedAt"),
                "finished": trial.get("finishedAt"),
                "cached": bool(trial.get("cached")),
                "curve": await _curve(look, run, trial, metrics[0], has_pruner=bool(body.get("pruner")))
                if len(metrics) == 1
                else [],
            }
        )
    return found


async def _curve(
    look: Look, run: Run, trial: Mapping[str, Any], metric: str, *, has_pruner: bool
) -> list[tuple[float, float | None]]:
    """What a trial has said of its metric on the way; nothing where that is its end alone."""
    if not trial.get("attempts") or trial.get("cached"):
        return []
    attempt = int(trial["attempts"]) - 1
    if has_pruner and (kept := (await look.record(run, trial["name"], attempt)).get("curve")):
        return [(step, value) for step, value in kept]
    return _curve_of(await look.metrics(run, trial["name"], attempt), metric)


def _curve_of(points: Sequence[Mapping[str, Any]], metric: str) -> list[tuple[float, float | None]]:
    """Nothing where it is one point alone."""
    curve = [
        (point.get("step", place), point["value"]) for place, point in enumerate(points) if point["name"] == metric
    ]
    return curve if len(curve) > 1 else []


async def _curves(
    look: Look, run: Run, task: str, trials: Sequence[Trial], objectives: Sequence[Objective]
) -> dict[str, dict[str, list[Point]]]:
    """A search with one objective keeps them with its trials; of others they are what the trials themselves have said."""
    if len(objectives) == 1:
        kept = {str(trial["number"]): trial["curve"] for trial in trials if trial.get("curve")}
        return {objectives[0].name: {number: thinned([*map(tuple, curve)], POINTS) for number, curve in kept.items()}}
    turn = asyncio.Semaphore(AT_ONCE)

    async def said(trial: Trial) -> Sequence[Mapping[str, Any]]:
        name = paths.numbered(task, trial["number"])
        async with turn:
            return await look.metrics(run, name, int(run.known.get(name, {}).get("attempts") or 1) - 1)

    newest = [trial for trial in trials if trial["started"] and not trial["cached"]][-NEWEST:]
    told = await asyncio.gather(*map(said, newest))
    return {
        each.name: {
            str(trial["number"]): thinned(curve, POINTS)
            for trial, points in zip(newest, told, strict=True)
            if (curve := _curve_of(points, each.name))
        }
        for each in objectives
    }


def _valued(study: Tune | None, trials: Sequence[Trial]) -> dict[int, list[float]]:
    if study is None:
        return {}
    found = {}
    for trial in trials:
        if trial["phase"] == Phase.SUCCEEDED and (values := values_of(study, trial["values"])) is not None:
            found[int(trial["number"])] = values
    return found


def _space(about: Mapping[str, Any]) -> list[Dimension]:
    found = []
    for name, dimension in (about.get("space") or {}).items():
        if "choice" in dimension:
            found.append(Dimension(name=name, kind="choice", choices=list(dimension["choice"])))
            continue
        kind = "int" if "int" in dimension else "float"
        bounds = dimension.get(kind) or {}
        low, high = (bounds.get(end) if isinstance(bounds.get(end), int | float) else None for end in ("min", "max"))
        found.append(Dimension(name=name, kind=cast("Any", kind), low=low, high=high, log=bool(bounds.get("log"))))
    return [
        *found,
        *(Dimension(name=name, kind="fixed", choices=[value]) for name, value in (about.get("fixed") or {}).items()),
    ]


async def _importances(look: Look, run: Run, task: str) -> dict[str, dict[str, float]] | None:
    facts = await _document(look, run, run.known.get(f"{task}-report", {}), "facts")
    if not facts:
        return None
    return {
        metric: {each["param"]: each["share"] for each in shares} for metric, shares in facts["importances"].items()
    }


async def _document(look: Look, run: Run, status: Mapping[str, Any], output: str) -> dict[str, Any] | None:
    """What a step left as JSON; None where it did not, or not any more."""
    reference = (status.get("artifacts") or {}).get(output)
    if not reference or reference["size"] > LARGEST:
        return None
    try:
        pieces = [piece async for piece in look.site.runs(run.namespace).artifact(run, reference["digest"])]
    except RunsError:
        return None
    found: dict[str, Any] = json.loads(b"".join(pieces))
    return found

"""What there is to say of a search, as JSON: the twin of its page, which is drawn from this alone."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlworkflow_steps.data.trials import Study
from mlworkflow_steps.models.importance import importances


def study_facts(study: Study) -> dict[str, Any]:
    """The facts. `best_so_far` has for each metric the trials that were the best when they ended; `row` in the time line is where a trial stands beside those at the same time."""
    document, trials = study.document, study.trials
    lanes = _lanes(study)
    best = next(trial for trial in trials if trial["number"] == document["best"])
    return {
        "format": 1,
        **{key: document[key] for key in ("workflow", "step", "objectives", "algorithm", "space", "budget", "ended", "started", "finished")},
        "constraints": document.get("constraints", []),
        "fixed": document.get("fixed", {}),
        "counts": dict(Counter(_word(trial) for trial in trials)),
        "cached": sum(trial["cached"] for trial in trials),
        "seconds": {
            "wall": max((lane["end"] for lane in lanes), default=0.0),
            "trials": round(sum(trial["seconds"] or 0.0 for trial in trials), 3),
        },
        "best": {"trial": best["number"], "params": best["params"], "values": best["values"], "artifacts": best["artifacts"]},
        "median": {metric: statistics.median(values) for metric in study.metrics if (values := [value for _, value in study.valued(metric)])},
        "best_so_far": {metric: _best_so_far(study, metric) for metric in study.metrics},
        "importances": {metric: [{"param": name, "share": round(share, 4)} for name, share in importances(study, metric)] for metric in study.metrics},
        "pareto": document["pareto"],
        "time_line": lanes,
        "trials": [{**{key: trial[key] for key in ("number", "params", "values", "seconds", "cached", "message")}, "phase": _word(trial), "reason": trial["reason"], "curve": trial.get("curve", [])} for trial in trials],
        "spared": _spared(trials),
    }  # fmt: skip


def _word(trial: Mapping[str, Any]) -> str:
    """How a trial ended, in one word: one that was stopped early because it was not promising has a word of its own."""
    return "Pruned" if trial["reason"] == "Pruned" else str(trial["phase"])


def _spared(trials: Sequence[Mapping[str, Any]]) -> float | None:
    """The share of the steps that were not taken because trials were stopped on the way; None where nobody told of any."""
    told = [trial for trial in trials if trial.get("curve") and _word(trial) in ("Succeeded", "Pruned")]
    whole: list[int] = [trial["curve"][-1][0] for trial in told if _word(trial) == "Succeeded"]
    if not whole:
        return None
    first: int = min(trial["curve"][0][0] for trial in told)
    taken: int = sum(min(trial["curve"][-1][0], max(whole)) - first + 1 for trial in told if _word(trial) == "Pruned")
    steps = max(whole) - first + 1
    return round((steps * (len(told) - len(whole)) - taken) / (steps * len(told)), 4)


def _best_so_far(study: Study, metric: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for trial, value in study.valued(metric):
        if not found or study.is_better(metric, value, found[-1]["value"]):
            found.append({"trial": trial["number"], "value": value})
    return found


def _lanes(study: Study) -> list[dict[str, Any]]:
    """The trials that ran, in seconds since the first of them, and each in the first row that is free."""
    ran = sorted(
        (_moment(trial["started"]), trial["seconds"], trial["number"], _word(trial))
        for trial in study.trials
        if trial["started"] and trial["seconds"] is not None
    )
    first = ran[0][0] if ran else 0.0
    free: list[float] = []
    lanes = []
    for moment, seconds, number, word in ran:
        start = round(moment - first, 3)
        lane = next((index for index, until in enumerate(free) if until <= start + 1e-6), len(free))
        free[lane : lane + 1] = [start + seconds]
        lanes.append({"trial": number, "row": lane, "start": start, "end": round(start + seconds, 3), "phase": word})
    return lanes


def _moment(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()

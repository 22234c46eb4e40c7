"""The JSON twin of the report: every number that the page shows, and those that its charts are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.evaluation.errors import class_rows, confusion_of, target_rows
from mlworkflow_steps.evaluation.evaluation import Champion, Evaluation, SliceResult
from mlworkflow_steps.evaluation.gate import Check
from mlworkflow_steps.evaluation.intervals import Interval
from mlworkflow_steps.models.scores import residuals_of

FORMAT = 1


def facts_of(found: Evaluation, digests: Mapping[str, str], versions: Mapping[str, str]) -> dict[str, Any]:
    """Plain JSON, the same bytes for the same evaluation."""
    facts: dict[str, Any] = {
        "format": FORMAT,
        "task": found.task,
        "target": found.about.target,
        "rows": found.rows,
        "metrics": dict(found.values),
        "intervals": _intervals(found.intervals),
        "confidence": found.bootstrap.confidence,
        "seed": found.bootstrap.seed,
        "baseline": dict(found.baseline),
        "champion": None if found.champion is None else _champion(found.champion),
        "passed": all(check.passed for check in found.checks),
        "gate": [_check(check) for check in found.checks],
        "slices": [_slice(part) for part in found.slices],
        "worst_rows": [asdict(row) for row in found.inside.worst],
        "digests": dict(digests),
        "versions": dict(versions),
    }
    return facts | _inside(found) | _of_task(found)


def _inside(found: Evaluation) -> dict[str, Any]:
    facts: dict[str, Any] = {"importances": []}
    if found.inside.importances is not None:
        score = found.inside.importances.score
        facts["importances"] = [
            {"feature": each.feature, score: each.loss, "spread": each.spread}
            for each in found.inside.importances.found
        ]
        facts["importance_sample"] = {
            "rows": found.inside.importances.rows,
            "repeats": found.inside.importances.repeats,
            "features": found.inside.importances.features,
        }
    facts["partial_dependence"] = [asdict(each) for each in found.inside.dependences]
    facts["partial_dependence_rows"] = found.inside.dependence_rows
    facts["tree_path"] = None if found.inside.path is None else asdict(found.inside.path)
    facts["interaction"] = None if found.inside.interaction is None else asdict(found.inside.interaction)
    facts["over_time"] = {"column": found.inside.time, "periods": [asdict(period) for period in found.inside.periods]}
    return facts


def _of_task(found: Evaluation) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if found.task == "classification":
        labels, counts = confusion_of(found.outcome)
        facts["confusion"] = {"labels": labels, "counts": counts.tolist()}
    if found.task in ("classification", "multilabel"):
        facts["classes"] = [asdict(row) for row in class_rows(found.outcome)]
        facts["roc"] = [asdict(curve) for curve in found.inside.roc]
        facts["precision_recall"] = [asdict(curve) for curve in found.inside.precision_recall]
        facts["calibration"] = None if found.inside.calibration is None else asdict(found.inside.calibration)
    if found.task == "regression":
        residuals = residuals_of(found.outcome)
        shares = (0.05, 0.25, 0.5, 0.75, 0.95)
        quantiles = {f"{share:g}": float(np.quantile(residuals, share)) for share in shares}
        facts["residuals"] = {"mean": float(residuals.mean()), "std": float(residuals.std()), "quantiles": quantiles}
    if found.task == "multioutput":
        facts["targets"] = [asdict(row) for row in target_rows(found.outcome)]
    if found.task == "clustering":
        clusters, counts = np.unique(found.outcome.predicted, return_counts=True)
        facts["clusters"] = [
            {"cluster": plain(name), "rows": int(count)} for name, count in zip(clusters, counts, strict=True)
        ]
    return facts


def _champion(champion: Champion) -> dict[str, Any]:
    return {
        "estimator": champion.about.estimator,
        "metrics": dict(champion.values),
        "ahead": dict(champion.ahead),
        "intervals": _intervals(champion.intervals),
    }


def _slice(part: SliceResult) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "column": part.column,
        "label": part.label,
        "rows": part.rows,
        "metrics": dict(part.values),
        "intervals": _intervals(part.intervals),
        "champion": None if part.champion is None else dict(part.champion),
    }
    return facts if part.error is None else facts | {"mean_error": part.error}


def _check(check: Check) -> dict[str, Any]:
    return asdict(check) | {"passed": check.passed, "judged": check.value is not None}


def _intervals(intervals: Mapping[str, Interval]) -> dict[str, list[float]]:
    return {name: [interval.low, interval.high] for name, interval in intervals.items()}

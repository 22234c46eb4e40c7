"""What the report of `evaluate` shows of one task: of classes, of several labels, of a quantity or several, of clusters."""

from __future__ import annotations

import numpy as np

from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.evaluation.curves import MOST_CURVES, Curve
from mlworkflow_steps.evaluation.errors import class_rows, confusion_of, target_rows
from mlworkflow_steps.evaluation.evaluation import Evaluation
from mlworkflow_steps.models.scores import residuals_of
from mlworkflow_steps.report import charts
from mlworkflow_steps.report.curves import Line, legend, lines
from mlworkflow_steps.report.document import measured, section
from mlworkflow_steps.report.html import Markup, table
from mlworkflow_steps.report.svg import HEIGHT

_LARGEST_MATRIX = 20
_MOST_CLASSES = 100
_MOST_PAIRS = 15
_MOST_SCATTERS = 5
_SQUARE = (0.0, 1.0, 0.0, 1.0)
_DIAGONAL = ((0.0, 0.0), (1.0, 1.0))


def of_task(found: Evaluation) -> list[Markup]:
    """The sections that come first below the verdict."""
    if found.task == "regression":
        return _quantity(found)
    if found.task == "multioutput":
        return _quantities(found)
    if found.task == "clustering":
        return _clusters(found)
    first = [_by_class(found)] if found.task == "multilabel" else [_confusion(found), _by_class(found)]
    return [*first, *_curves(found)]


def _confusion(found: Evaluation) -> Markup:
    labels, counts = confusion_of(found.outcome)
    if len(labels) <= _LARGEST_MATRIX:
        chart = charts.confusion([str(label) for label in labels], counts)
        return section("Confusion matrix", "True classes down, predicted classes across.", chart)
    mixed = counts * (1 - np.eye(len(labels), dtype=int))
    pairs = [divmod(int(place), len(labels)) for place in np.argsort(-mixed, axis=None, kind="stable")[:_MOST_PAIRS]]
    rows = [[labels[true], labels[said], int(mixed[true, said])] for true, said in pairs if mixed[true, said]]
    note = f"{len(labels)} classes are too many for a matrix."
    return section("Most confused classes", note, table(["True", "Predicted", "Rows"], rows, numeric_from=2))


def _by_class(found: Evaluation) -> Markup:
    rows = class_rows(found.outcome)
    what = "Class" if found.task == "classification" else "Label"
    note = f"Precision: how often a prediction of the {what.lower()} is right. Recall: how much of it is found."
    if len(rows) > _MOST_CLASSES:
        rows = sorted(rows, key=lambda row: row.f1)[:_MOST_CLASSES]
        note += f" The {_MOST_CLASSES} with the lowest F1 are shown."
    cells = [
        [row.label, measured(row.precision), measured(row.recall), measured(row.f1), f"{row.rows:,}"] for row in rows
    ]
    return section(f"By {what.lower()}", note, table([what, "Precision", "Recall", "F1", "Rows"], cells))


def _curves(found: Evaluation) -> list[Markup]:
    parts = []
    if found.inside.roc:
        parts.append(_curve("ROC curve", "The dashed line is chance.", found.inside.roc, "false positive rate", "true positive rate", "AUC", _DIAGONAL))  # fmt: skip
    if found.inside.precision_recall:
        chance = ((0.0, found.inside.precision_recall[0].share), (1.0, found.inside.precision_recall[0].share)) if len(found.inside.precision_recall) == 1 else ()  # fmt: skip
        note = "The dashed line is chance." if chance else "How many alarms are right, at each share of what is found."
        parts.append(
            _curve("Precision and recall", note, found.inside.precision_recall, "recall", "precision", "AP", chance)
        )
    if found.inside.calibration:
        bins = found.inside.calibration
        most = max(bins.rows)
        line = Line(bins.of, bins.said, bins.found, [rows / most for rows in bins.rows])
        note = f"What the model says of {bins.of}, and how often it is so; larger dots are more rows. Below the dashed line it is too sure."
        chart = lines([line], "predicted probability", "share that is so", reach=_SQUARE, guide=_DIAGONAL, height=HEIGHT)  # fmt: skip
        parts.append(section("Calibration", note, chart))
    return parts


def _curve(
    title: str, note: str, curves: list[Curve], across: str, up: str, area: str, guide: tuple[tuple[float, float], ...]
) -> Markup:
    drawn = [Line(f"{curve.label} ({area} {measured(curve.area)})", curve.across, curve.up) for curve in curves]
    if len(curves) == 1:
        note = f"Of class {curves[0].label}: {area} {measured(curves[0].area)}. {note}"
    elif len(curves) == MOST_CURVES:
        note = f"Each class against the rest, the {MOST_CURVES} hardest. {note}"
    else:
        note = f"Each class against the rest. {note}"
    chart = lines(drawn, across, up, reach=_SQUARE, guide=guide, height=HEIGHT)
    return section(title, note, chart, legend([line.name for line in drawn]))


def _quantity(found: Evaluation) -> list[Markup]:
    true, predicted = found.outcome.true.astype(float), found.outcome.predicted.astype(float)
    scatter = section(
        "Predicted and true",
        "A dot per test row (at most 2,000); on the dashed line the prediction is exact.",
        charts.predicted_against_true(true, predicted),
    )
    errors = section(
        "Errors",
        "How far predictions are off; right of the line they are too high.",
        charts.residuals(residuals_of(found.outcome)),
    )
    return [scatter, errors]


def _quantities(found: Evaluation) -> list[Markup]:
    """A table of all of them, and of the first few what is shown of a single one."""
    rows = target_rows(found.outcome)
    note = "Each quantity by itself; the metrics above are means over all of them."
    cells = [[row.target, measured(row.rmse), measured(row.mae), measured(row.r2)] for row in rows[:_MOST_CLASSES]]
    parts = [section("By target", note, table(["Target", "RMSE", "MAE", "R²"], cells))]
    true, predicted = found.outcome.true.astype(float), found.outcome.predicted.astype(float)
    for place, row in enumerate(rows[:_MOST_SCATTERS]):
        note = "A dot per test row (at most 2,000); on the dashed line the prediction is exact."
        chart = charts.predicted_against_true(true[:, place], predicted[:, place])
        parts.append(section(f"Predicted and true {row.target}", note, chart))
    return parts


def _clusters(found: Evaluation) -> list[Markup]:
    names, counts = np.unique(found.outcome.predicted, return_counts=True)
    rows = [(f"cluster {plain(name)}", int(count)) for name, count in zip(names, counts, strict=True)]
    chart = charts.bars(sorted(rows, key=lambda row: -row[1])[:_MOST_CLASSES], "rows")
    parts = [section("Clusters", f"How many of {found.rows:,} rows are in each.", chart)]
    if len(found.outcome.true):
        labels = np.unique(found.outcome.true)
        cells = [[plain(label), *(int(((found.outcome.true == label) & (found.outcome.predicted == name)).sum()) for name in names)] for label in labels]  # fmt: skip
        note = "Known groups down, clusters across."
        parts.append(section("Clusters and known groups", note, table(["", *(plain(name) for name in names)], cells)))
    return parts

"""The report of `evaluate`: what is known of a model on a test table, as one page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics

from mlworkflow_steps.models.manifest import Manifest
from mlworkflow_steps.models.scores import SCORES, Outcome
from mlworkflow_steps.report import charts
from mlworkflow_steps.report.document import document, header, headline, number, section
from mlworkflow_steps.report.facts import Check, WorstRow, class_rows, confusion_of
from mlworkflow_steps.report.html import Markup, table, tag

_HEADLINES = 4
_LARGEST_MATRIX = 20


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows."""

    workflow: str
    step: str
    manifest: Manifest
    outcome: Outcome
    values: Mapping[str, float]
    baseline: Mapping[str, float]
    checks: list[Check]
    importances: list[tuple[str, float]]
    importance_metric: str
    worst: list[WorstRow]
    digests: Mapping[str, str]

    def html(self) -> str:
        """The whole document."""
        details = _classification(self) if self.manifest.task == "classification" else _regression(self)
        return document(
            f"{self.workflow} / {self.step}: evaluation report",
            [_header(self), _cards(self), _gate(self), *details, _metrics(self), _provenance(self)],
        )


def _header(report: Report) -> Markup:
    facts = report.manifest
    failed = [check for check in report.checks if not check.passed]
    verdict, kind = (
        ("Gate failed", "failed") if failed else ("Gate passed", "passed") if report.checks else ("No gate", "open")
    )
    line = f"{facts.estimator}, predicting “{facts.target}” ({facts.task}) on {len(report.outcome.true):,} test rows, trained on {facts.rows:,}"
    return header(
        "Evaluation report", f"{report.workflow} / {report.step}", line, tag("div", verdict, class_=f"verdict {kind}")
    )


def _cards(report: Report) -> Markup:
    """The gate's metrics come first: they are what the reader decides by."""
    gated = [check.metric for check in report.checks]
    names = list(dict.fromkeys([*gated, *report.values]))[:_HEADLINES]
    cards = []
    for name in names:
        compare = f"baseline {number(report.baseline[name])}" if name in report.baseline else "no baseline"
        title = SCORES[name].title
        cards.append(headline(title, number(report.values[name]), compare))
    return tag("div", *cards, class_="cards")


def _gate(report: Report) -> Markup:
    if not report.checks:
        return Markup("")
    rows = []
    for check in report.checks:
        verdict = tag(
            "span", "passed" if check.passed else "failed", class_=f"verdict {'passed' if check.passed else 'failed'}"
        )
        rows.append(
            [
                SCORES[check.metric].title,
                f"{'at least' if check.bound == 'min' else 'at most'} {check.limit:g}",
                number(check.value),
                verdict,
            ]
        )
    return section(
        "Gate",
        "What the workflow asks of this model before anything may follow.",
        table(["Metric", "Bound", "Value", ""], rows),
    )


def _classification(report: Report) -> list[Markup]:
    labels, counts = confusion_of(report.outcome)
    if len(labels) <= _LARGEST_MATRIX:
        matrix = section(
            "Confusion matrix",
            "True classes down, predicted classes across.",
            charts.confusion([str(label) for label in labels], counts),
        )
    else:
        mixed = counts * (1 - np.eye(len(labels), dtype=int))
        pairs = [divmod(int(place), len(labels)) for place in np.argsort(-mixed, axis=None, kind="stable")[:15]]
        rows = [
            [labels[true], labels[predicted], int(mixed[true, predicted])]
            for true, predicted in pairs
            if mixed[true, predicted]
        ]
        matrix = section(
            "Most confused classes",
            f"{len(labels)} classes are too many for a matrix.",
            table(["True", "Predicted", "Rows"], rows, numeric_from=2),
        )
    by_class = [
        [row.label, number(row.precision), number(row.recall), number(row.f1), row.rows]
        for row in class_rows(report.outcome)
    ]
    classes = section("By class", "Precision: how often a prediction of the class is right. Recall: how much of the class is found.",
                      table(["Class", "Precision", "Recall", "F1", "Rows"], by_class))  # fmt: skip
    parts = [tag("div", matrix, classes, class_="pair")]
    others = [_importance(report)]
    if (
        "roc_auc" in report.values
        and report.outcome.probabilities is not None
        and report.outcome.probabilities.shape[1] == 2
    ):
        assert report.outcome.classes is not None
        false_positive, true_positive, _ = sklearn_metrics.roc_curve(
            report.outcome.true, report.outcome.probabilities[:, 1], pos_label=report.outcome.classes[1]
        )
        others.append(section("ROC curve", "The dashed line is chance.", charts.roc(false_positive, true_positive)))
    return [*parts, tag("div", *others, _worst(report, "Confidence"), class_="pair")]


def _regression(report: Report) -> list[Markup]:
    true, predicted = report.outcome.true.astype(float), report.outcome.predicted.astype(float)
    scatter = section(
        "Predicted and true",
        "A dot per test row (at most 2,000); on the dashed line the prediction is exact.",
        charts.predicted_against_true(true, predicted),
    )
    errors = section(
        "Errors",
        "How far predictions are off; right of the line they are too high.",
        charts.residuals(predicted - true),
    )
    return [
        tag("div", scatter, errors, class_="pair"),
        tag("div", _importance(report), _worst(report, "Error"), class_="pair"),
    ]


def _importance(report: Report) -> Markup:
    if not report.importances:
        return Markup("")
    title = SCORES[report.importance_metric].title
    return section(
        "What the model uses",
        f"How much worse {title} gets when a column is shuffled.",
        charts.bars(report.importances, title),
    )


def _worst(report: Report, weight: str) -> Markup:
    if not report.worst:
        return Markup("")
    rows = [[row.row, _value(row.true), _value(row.predicted), number(row.weight)] for row in report.worst]
    note = "Test rows that the model gets most wrong; rows count from 0."
    return section("Worst rows", note, table(["Row", "True", "Predicted", weight], rows))


def _metrics(report: Report) -> Markup:
    rows = []
    for name, value in report.values.items():
        score = SCORES[name]
        other = number(report.baseline[name]) if name in report.baseline else "–"
        rows.append([score.title, "lower" if score.lower else "higher", number(value), other])
    for name, value in report.manifest.metrics.items():
        rows.append([name, "–", number(value), "–"])
    note = "The baseline knows nothing but the training part's " + (
        "classes and their shares." if report.manifest.task == "classification" else "mean."
    )
    return section("All metrics", note + " Those that begin with cv_ come from cross-validation in training.",
                   table(["Metric", "Better", "Value", "Baseline"], rows, numeric_from=2))  # fmt: skip


def _provenance(report: Report) -> Markup:
    facts = report.manifest
    rows: list[tuple[str, object]] = [
        (f"Digest of {name}", tag("code", digest)) for name, digest in report.digests.items()
    ]
    rows.append(("Estimator", tag("code", json.dumps(facts.spec, indent=1, sort_keys=True))))
    rows.append(("Parameters", tag("code", json.dumps(facts.params, sort_keys=True))))
    rows.append(("Seed", tag("code", facts.seed)))
    rows.append(("Features", tag("code", ", ".join(facts.features))))
    rows.append(("Versions", tag("code", ", ".join(f"{name} {version}" for name, version in facts.versions.items()))))
    return section("How it came to be", "Enough to make the same model again.", table(["", ""], rows, numeric_from=2))


def _value(value: Any) -> str:
    return number(float(value)) if isinstance(value, float) else str(value)

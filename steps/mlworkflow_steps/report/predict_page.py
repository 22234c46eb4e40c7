"""The report of `predict`: what was predicted, and how unlike the rows are those of the training table, as one page and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.data.anomalies import Anomaly, blocking
from mlworkflow_steps.data.drift import Difference, Limits
from mlworkflow_steps.data.schema import Schema
from mlworkflow_steps.data.statistics import histogram, plain
from mlworkflow_steps.models.manifest import Manifest
from mlworkflow_steps.report import charts
from mlworkflow_steps.report.document import document, halves, header, headline, number, section
from mlworkflow_steps.report.html import Markup, table, tag
from mlworkflow_steps.report.validate_page import Findings, anomalies_section, comparison_section

_MOST_LABELS = 15
_MOST_MEANS = 3
_MOST_HISTOGRAMS = 6
_TABLE = "data"


@dataclass(frozen=True, slots=True)
class Answered:
    """What `predict` has done. `labels` counts the predictions of classes or labels, `means` and `values` (of the rows that were sampled) are of quantities, by target."""

    manifest: Manifest
    anomalies: list[Anomaly]
    differences: list[Difference]
    limits: Limits
    rows: int
    sampled: int
    is_compared: bool
    labels: Mapping[Any, int]
    means: Mapping[str, float]
    values: pd.DataFrame
    digests: Mapping[str, str]
    name: str

    def as_json(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "format": 1,
            "model": self.digests.get("model", ""),
            "name": self.name,
            "rows": self.rows,
            "passed": not blocking(self.anomalies),
            "anomalies": [anomaly.as_json() for anomaly in self.anomalies],
            "compared": [each.as_json() for each in self.differences],
        }
        if self.labels:
            facts["predictions"] = [{"class": label, "rows": count} for label, count in self._commonest()]
        trained = self.trained_means()
        of_each = {name: {"mean": plain(mean), "trained_mean": trained.get(name)} for name, mean in self.means.items()}
        if self.manifest.outputs and of_each:
            facts["predictions"] = [{"target": name} | means for name, means in of_each.items()]
        elif of_each:
            (facts["predictions"],) = of_each.values()
        return facts

    def trained_means(self) -> dict[str, float]:
        """The mean of each quantity in the training table, as far as the model says it."""
        known = self.manifest.baseline
        if "means" in known:
            return dict(zip(self.manifest.outputs, known["means"], strict=True))
        return {self.manifest.target: known["mean"]} if "mean" in known else {}

    def _commonest(self) -> list[tuple[Any, int]]:
        return sorted(self.labels.items(), key=lambda entry: (-entry[1], str(entry[0])))

    def shares(self) -> tuple[list[str], list[float], list[float]]:
        """The commonest predicted classes or labels, their shares in training, and their shares now."""
        trained = dict(self.manifest.baseline.get("counts", []))
        total = sum(trained.values()) or 1
        if "shares" in self.manifest.baseline:
            trained, total = dict(zip(self.manifest.outputs, self.manifest.baseline["shares"], strict=True)), 1
        chosen = self._commonest()[:_MOST_LABELS]
        return (
            [str(label) for label, _ in chosen],
            [trained.get(label, 0) / total for label, _ in chosen],
            [count / self.rows for _, count in chosen],
        )


def predict_page(answered: Answered, title: str) -> str:
    """The document. `title` says which step of which workflow."""
    facts = answered.manifest
    line = f"{answered.rows:,} rows by {facts.estimator}, predicting “{_target(facts)}” ({facts.task}), trained on {facts.rows:,} rows"
    parts = [
        header("Predictions", title, line, _verdict(answered)),
        _headlines(answered),
        _predictions(answered),
        anomalies_section(answered.anomalies),
        _comparison(answered),
        _provenance(answered),
    ]
    return document(f"{title}: predictions", parts)


def _target(facts: Manifest) -> str:
    return facts.target if isinstance(facts.target, str) else ", ".join(facts.target)


def _verdict(answered: Answered) -> Markup:
    if blocking(answered.anomalies):
        return tag("div", "Blocked", class_="verdict failed")
    return tag("div", "Unlike training" if answered.anomalies else "As in training", class_=f"verdict {'open' if answered.anomalies else 'passed'}")  # fmt: skip


def _headlines(answered: Answered) -> Markup:
    skewed = sum(each.drifted for each in answered.differences)
    cards = [
        headline("Rows", f"{answered.rows:,}", answered.name or "predicted"),
        headline("Skewed columns", skewed, f"of {len(answered.differences):,} compared with the training table" if answered.is_compared else "not compared"),
        headline("Anomalies", len(answered.anomalies), "skewed columns among them"),
    ]  # fmt: skip
    trained = answered.trained_means()
    for name, mean in list(answered.means.items())[:_MOST_MEANS]:
        title = f"Mean {name}" if len(answered.means) > 1 else "Mean prediction"
        cards.append(headline(title, number(mean), f"in training {number(trained[name])}" if name in trained else ""))
    return tag("div", *cards, class_="cards")


def _predictions(answered: Answered) -> Markup:
    if answered.labels:
        note = "Shares of the rows: light the classes of the training table, strong the predictions."
        return section("What was predicted", note, charts.pairs(*answered.shares()))
    drawn = []
    for name, values in list(answered.values.items())[:_MOST_HISTOGRAMS]:
        finite = values.to_numpy(dtype=float)
        finite = finite[np.isfinite(finite)]
        if len(finite):
            drawn.append(charts.histogram(**histogram(finite), across=str(name) or "prediction"))
    if not drawn:
        return Markup("")
    note = f"The predictions of {answered.sampled:,} rows, chosen by chance."
    return section("What was predicted", note, *(drawn if len(drawn) == 1 else [halves(*drawn)]))


def _comparison(answered: Answered) -> Markup:
    if not answered.is_compared:
        return section("Against training", "The model does not say what the raw rows that it was trained on were like, or these rows are features already.")  # fmt: skip
    found = Findings(
        anomalies=answered.anomalies,
        schema=Schema("", "", {}),
        rows={_TABLE: answered.rows},
        comparison="training",
        differences={_TABLE: answered.differences},
        measure=answered.limits.measure,
        threshold=answered.limits.threshold,
    )
    return comparison_section(found, _TABLE, answered.differences)


def _provenance(answered: Answered) -> Markup:
    rows = [(f"Digest of {name}", tag("code", digest)) for name, digest in answered.digests.items()]
    rows += [(f"Trained on {name}", tag("code", digest)) for name, digest in answered.manifest.inputs.items()]
    return section("How it came to be", "The same digest is the same model, and the same rows.", table(["", ""], rows, numeric_from=2))  # fmt: skip

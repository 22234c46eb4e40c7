"""The report of `validate`: the verdict, what is wrong, what was compared, and the schema, as one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlworkflow_steps.data.anomalies import Anomaly, blocking
from mlworkflow_steps.data.drift import Difference
from mlworkflow_steps.data.schema import Rule, Schema
from mlworkflow_steps.report import charts
from mlworkflow_steps.report.document import document, header, headline, section
from mlworkflow_steps.report.html import Markup, table, tag

_MOST_BARS = 15
_MOST_CHARTS = 6
_MOST_COLUMNS = 300
_MOST_CATEGORIES = 12
_MEASURES = {"psi": "Population stability index", "js": "Jensen-Shannon distance"}


@dataclass(frozen=True, slots=True)
class Findings:
    """What `validate` has found. `rows` and `differences` by table; `comparison` names the table that others were compared with."""

    anomalies: list[Anomaly]
    schema: Schema
    rows: Mapping[str, int]
    comparison: str
    differences: Mapping[str, list[Difference]]
    measure: str
    threshold: float


def validate_page(found: Findings, title: str, digests: Mapping[str, str]) -> str:
    """The document. `title` says which step of which workflow, `digests` what came in."""
    tables = " and ".join(f"{rows:,} rows of “{name}”" for name, rows in found.rows.items())
    target = f", target “{found.schema.target}”" if found.schema.target else ""
    line = f"{tables} against a schema of {len(found.schema.columns):,} columns{target}"
    parts = [
        header("Data validation", title, line, _verdict(found)),
        _headlines(found),
        anomalies_section(found.anomalies),
        *(comparison_section(found, name, compared) for name, compared in found.differences.items()),
        _schema(found.schema),
        _provenance(digests),
    ]
    return document(f"{title}: data validation", parts)


def _verdict(found: Findings) -> Markup:
    if blocking(found.anomalies):
        return tag("div", "Blocked", class_="verdict failed")
    return tag("div", "Passed, with warnings" if found.anomalies else "Passed", class_="verdict passed")


def _headlines(found: Findings) -> Markup:
    blocks = len(blocking(found.anomalies))
    cards = [
        headline("Blocking", blocks, "anomalies that stop the workflow" if blocks else "nothing stops the workflow"),
        headline("Warnings", len(found.anomalies) - blocks, "anomalies to know of"),
    ]
    if found.differences:
        compared = [each for differences in found.differences.values() for each in differences]
        count = sum(each.drifted for each in compared)
        cards.append(headline("Drifted columns", count, f"of {len(compared):,} compared with “{found.comparison}”"))
    return tag("div", *cards, class_="cards")


def anomalies_section(anomalies: Sequence[Anomaly]) -> Markup:
    """What was found, as a table."""
    if not anomalies:
        return section("Anomalies", "None. Every check of the schema holds.")
    rows = [
        [
            tag("span", anomaly.level, class_=f"verdict {'failed' if anomaly.level == 'block' else 'open'}"),
            tag("span", anomaly.code, class_="key"),
            tag("span", anomaly.table, class_="soft"),
            ", ".join(anomaly.columns),
            anomaly.message,
        ]
        for anomaly in anomalies
    ]
    return section("Anomalies", "Everything that was found, in one pass.", table(["", "Code", "Table", "Column", "What is wrong"], rows, numeric_from=5))  # fmt: skip


def comparison_section(found: Findings, name: str, compared: list[Difference]) -> Markup:
    """How far apart the columns of the table `name` are from those that it was compared with."""
    if not compared:
        return Markup("")
    strengths = [(each.column, each.psi if found.measure == "psi" else each.js) for each in compared]
    most = sorted(strengths, key=lambda entry: -entry[1])[:_MOST_BARS]
    note = f"{_MEASURES[found.measure]} of “{name}” against “{found.comparison}”; from {found.threshold:g} on a difference that is no chance counts as drift."
    parts = [section("How far apart", note, charts.bars(most, _MEASURES[found.measure], longest=max(most[0][1], found.threshold)))]  # fmt: skip
    for each in [each for each in compared if each.drifted][:_MOST_CHARTS]:
        words = f"Shares of the rows: light “{found.comparison}”, strong “{name}”. {each.words(found.measure)}."
        parts.append(section(f"Drift in “{each.column}”", words, charts.pairs(each.bins, each.before, each.now)))
    return tag("div", *parts, class_="pair")


def _schema(schema: Schema) -> Markup:
    rows = [
        [
            name,
            "target" if name == schema.target else "feature",
            rule.type,
            _allowed(rule),
            "any share" if rule.missing is None else "none" if rule.missing == 0 else f"up to {rule.missing:.1%}",
        ]
        for name, rule in list(schema.columns.items())[:_MOST_COLUMNS]
    ]
    note = "Also there as JSON: change it by hand and give it to later runs. Bounds that were inferred are wide, unless many rows reach them."
    if len(schema.columns) > _MOST_COLUMNS:
        note += f" The first {_MOST_COLUMNS} of {len(schema.columns):,} columns are shown."
    return section("Schema", note, table(["Column", "Role", "Type", "Allowed", "Missing"], rows, numeric_from=5))


def _allowed(rule: Rule) -> str:
    if rule.categories is not None:
        shown = ", ".join(_text(label) for label in rule.categories[:_MOST_CATEGORIES])
        return f"{shown} and {len(rule.categories) - _MOST_CATEGORIES} more" if len(rule.categories) > _MOST_CATEGORIES else shown  # fmt: skip
    if rule.min is None and rule.max is None:
        return "anything"
    low, high = ("…" if end is None else f"{end:,.6g}" for end in (rule.min, rule.max))
    return f"{low} to {high}"


def _text(label: Any) -> str:
    return str(label) if str(label) else "“”"


def _provenance(digests: Mapping[str, str]) -> Markup:
    if not digests:
        return Markup("")
    rows = [(f"Digest of {name}", tag("code", digest)) for name, digest in digests.items()]
    return section("What was checked", "The same digest is the same table.", table(["", ""], rows, numeric_from=2))

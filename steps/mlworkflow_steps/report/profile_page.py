"""The report of `profile`: a data set on one page, from the facts of its JSON twin alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlworkflow_steps.report import charts
from mlworkflow_steps.report.document import document, header, headline, number, section
from mlworkflow_steps.report.html import Markup, table, tag

_MOST_COLUMNS = 300
_MOST_BARS = 15
_KINDS = {
    "integer": ("whole number", "whole numbers"),
    "number": ("number", "numbers"),
    "boolean": ("yes or no", "yes or no"),
    "time": ("time", "times"),
    "category": ("category", "categories"),
    "text": ("text", "texts"),
    "empty": ("empty", "empty"),
}


def profile_page(facts: Mapping[str, Any], title: str, digests: Mapping[str, str]) -> str:
    """The document. `title` says which step of which workflow, `digests` what came in."""
    task = f", predicting “{facts['target']}” ({facts['task']})" if facts["target"] else ""
    line = f"{facts['rows']:,} rows, {len(facts['columns']):,} columns{task}"
    parts = [
        header("Data profile", title, line, tag("div", *_verdict(facts), class_="verdict open")),
        _headlines(facts),
        _remarks(facts),
        tag("div", _target(facts), _associations(facts), _text(facts), class_="pair"),
        _columns(facts),
        _provenance(facts, digests),
    ]
    return document(f"{title}: data profile", parts)


def _verdict(facts: Mapping[str, Any]) -> list[object]:
    count = len(facts["remarks"])
    return [f"{count} thing{'' if count == 1 else 's'} to look at" if count else "Nothing stands out"]


def _headlines(facts: Mapping[str, Any]) -> Markup:
    missing = sum(column["missing"] for column in facts["columns"])
    kinds = [column["kind"] for column in facts["columns"]]
    most = ", ".join(f"{kinds.count(kind):,} {_KINDS[kind][kinds.count(kind) > 1]}" for kind in dict.fromkeys(kinds))
    cards = [
        headline("Rows", f"{facts['rows']:,}", f"{facts['duplicates']:,} are copies of others"),
        headline("Columns", f"{len(kinds):,}", most),
        headline("Missing values", f"{facts['missing_share']:.1%}", f"{missing:,} cells"),
    ]
    if facts.get("smallest_class_share") is not None:
        cards.append(headline("Classes", f"{len(facts['classes']):,}", f"the rarest has {facts['smallest_class_share']:.1%} of the rows"))  # fmt: skip
    if "samples_per_words" in facts.get("text", {}):
        note = f"{facts['text']['words_per_sample']:g} words a sample"
        cards.append(headline("Samples per words", f"{facts['text']['samples_per_words']:,.0f}", note))
    return tag("div", *cards, class_="cards")


def _remarks(facts: Mapping[str, Any]) -> Markup:
    if not facts["remarks"]:
        return Markup("")
    items = [tag("li", text) for text in facts["remarks"]]
    return section("Worth a look", "What could spoil a model that is made of this table.", tag("ul", *items))


def _target(facts: Mapping[str, Any]) -> Markup:
    if not facts["target"]:
        return Markup("")
    column = next(column for column in facts["columns"] if column["role"] == "target")
    if "classes" in facts:
        rows = sorted(facts["classes"], key=lambda row: -row["rows"])[:_MOST_BARS]
        chart = charts.bars([(str(row["class"]), row["rows"]) for row in rows], "rows")
    elif "histogram" in column:
        chart = charts.histogram(**column["histogram"], across=column["name"])
    else:
        return Markup("")
    return section("The target", f"How the values of “{column['name']}” are spread.", chart)


def _associations(facts: Mapping[str, Any]) -> Markup:
    found = [(c["name"], c["with_target"]) for c in facts["columns"] if "with_target" in c]
    if not found:
        return Markup("")
    best = sorted(found, key=lambda entry: -entry[1]["strength"])[:_MOST_BARS]
    note = "0: nothing; 1: it gives the target away. Correlation, correlation ratio or Cramér's V, as the columns are."
    return section(
        "What goes with the target",
        note,
        charts.bars([(name, w["strength"]) for name, w in best], "of at most 1", longest=1.0),
    )


def _text(facts: Mapping[str, Any]) -> Markup:
    if "text" not in facts:
        return Markup("")
    text = facts["text"]
    note = f"Words per sample in “{text['column']}”; half of the {text['samples']:,} samples have more than {text['words_per_sample']:g}."
    return section("The texts", note, charts.histogram(**text["words"]["histogram"], across="words"))


def _columns(facts: Mapping[str, Any]) -> Markup:
    columns = facts["columns"]
    rows = [
        [
            column["name"],
            _KINDS[column["kind"]][0],
            f"{column['missing'] / facts['rows']:.1%}" if column["missing"] else "–",
            f"{column['distinct']:,}",
            *(_value(column, name) for name in ("min", "median", "max", "mean", "std")),
            _shape(column),
        ]
        for column in columns[:_MOST_COLUMNS]
    ]
    more = f" The first {_MOST_COLUMNS} of {len(columns):,}; the others are in the JSON." if len(columns) > _MOST_COLUMNS else ""  # fmt: skip
    head = ["Column", "Kind", "Missing", "Distinct", "Lowest", "Median", "Highest", "Mean", "Spread", "Shape"]
    return section("Columns", f"Spread is the standard deviation.{more}", table(head, rows, numeric_from=2))


def _value(column: Mapping[str, Any], name: str) -> str:
    value = column.get("quantiles", {}).get("0.5") if name == "median" else column.get(name)
    if isinstance(value, str):
        return value[:10]
    return "" if value is None else f"{value:,.0f}" if value == int(value) else number(value)


def _shape(column: Mapping[str, Any]) -> object:
    """A small histogram of numbers, or of the words of texts; the commonest values of anything else."""
    if "histogram" in column:
        return charts.spark(column["histogram"]["counts"])
    if "words" in column and column["words"]["max"] > 1:
        return charts.spark(column["words"]["histogram"]["counts"])
    common = column.get("most_common", [])
    return tag("span", ", ".join(str(entry["value"])[:16] for entry in common[:3]), class_="soft")


def _provenance(facts: Mapping[str, Any], digests: Mapping[str, str]) -> Markup:
    origin = facts["source"]
    named = f"scikit-learn: {origin['sklearn']}" if "sklearn" in origin else origin["digest"]
    rows = [("Table", tag("code", named)), *((f"Digest of {name}", tag("code", text)) for name, text in digests.items())]  # fmt: skip
    return section("Where it came from", "The same digest is the same table.", table(["", ""], rows, numeric_from=2))

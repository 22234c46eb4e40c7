"""What a person should look at in a profile, in sentences: said by the JSON and by the page alike. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MANY_MISSING = 0.2
_RARE_CLASS = 0.4
_GIVES_AWAY = 0.99
_FEW_SAMPLES_PER_WORDS = 1500
_LISTED = 5


def remarks(facts: Mapping[str, Any]) -> list[str]:
    """One sentence per thing, the gravest first."""
    return list(_remarks(facts))


def _remarks(facts: Mapping[str, Any]) -> Iterator[str]:
    features = [column for column in facts["columns"] if column["role"] == "feature"]
    if names := [c["name"] for c in features if c.get("with_target", {}).get("strength", 0) >= _GIVES_AWAY]:
        yield f"{_listed(names)} nearly give the target away: make sure that they are known before it is."
    if facts["target"] and (missing := next(c["missing"] for c in facts["columns"] if c["role"] == "target")):
        yield f"{_rows(missing)} without a value in the target column."
    if names := [c["name"] for c in facts["columns"] if c["distinct"] == 0]:
        yield f"Nothing at all is in {_listed(names)}."
    if names := [c["name"] for c in facts["columns"] if c["distinct"] == 1]:
        yield f"One value only is in {_listed(names)}."
    if names := [c["name"] for c in features if _is_of_its_own(c, facts)]:
        yield f"Every row has a value of its own in {_listed(names)}: an identifier, or an order of the rows?"
    if rows := [c for c in facts["columns"] if c["distinct"] > 0 and c["missing"] > _MANY_MISSING * facts["rows"]]:
        yield f"More than {_MANY_MISSING:.0%} of the values are missing in {_listed([c['name'] for c in rows])}."
    if names := [c["name"] for c in facts["columns"] if c.get("infinite")]:
        yield f"Infinite values are in {_listed(names)}."
    if facts["duplicates"]:
        yield f"{_rows(facts['duplicates'])} exact copies of earlier ones: a split at random would put some on both sides."
    if (share := facts.get("smallest_class_share")) is not None and share * len(facts["classes"]) < _RARE_CLASS:
        rarest = min(facts["classes"], key=lambda row: row["rows"])
        yield f"Class “{rarest['class']}” has {share:.1%} of the rows: accuracy alone will not tell whether it is found; stratify the split."
    for pair in facts["correlated"]:
        yield f"{pair['columns'][0]} and {pair['columns'][1]} say the same (correlation {pair['correlation']:.3f})."
    if (ratio := facts.get("text", {}).get("samples_per_words")) is not None:
        yield _advice(ratio)


def _is_of_its_own(column: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    is_text = column["name"] == facts.get("text", {}).get("column")
    return column["kind"] in ("text", "integer") and column["distinct"] == facts["rows"] > 1 and not is_text


def _advice(ratio: float) -> str:
    """The rule of Google's text classification guide, from about 450,000 experiments."""
    if ratio < _FEW_SAMPLES_PER_WORDS:
        return f"{ratio:,.0f} samples per words of a sample, fewer than 1,500: count n-grams and feed a plain model (a linear one, or a perceptron)."
    return f"{ratio:,.0f} samples per words of a sample, 1,500 or more: a model that reads the words in their order can pay off."


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count:,} rows are"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more

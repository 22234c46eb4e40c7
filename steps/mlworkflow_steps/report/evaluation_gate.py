"""The verdicts of the gate, as a section of the report of `evaluate`."""

from __future__ import annotations

from mlworkflow_steps.evaluation.gate import Check
from mlworkflow_steps.models.scores import SCORES
from mlworkflow_steps.report.document import measured, section
from mlworkflow_steps.report.html import Markup, table, tag

_MOST_CHECKS = 40


def gate_section(checks: list[Check]) -> Markup:
    """What does not hold first, rule by rule; what holds in many slices in one line."""
    if not checks:
        return Markup("")
    failed = [check for check in checks if not check.passed]
    whole = [check for check in checks if check.passed and not check.slice]
    parts: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        if check.passed and check.slice:
            parts.setdefault((check.metric, check.bound), []).append(check)
    together = [
        _together(held, any((check.metric, check.bound) == rule for check in failed if check.slice))
        for rule, held in parts.items()
    ]
    rows = [*map(_rule, failed[:_MOST_CHECKS]), *map(_rule, whole), *together]
    note = "What the workflow asks of this model before anything may follow."
    if len(failed) > _MOST_CHECKS:
        note += f" {len(failed)} rules do not hold; {_MOST_CHECKS} are shown, and the JSON beside this page has all."
    return section("Gate", note, table(["", "Metric", "Where", "Rule", "Value"], rows, numeric_from=4))


def _rule(check: Check) -> list[object]:
    """A row of the table for one rule."""
    title = tag("span", SCORES[check.metric].title if check.metric else "Serving", class_="key")
    where = f"{check.slice} ({check.rows:,} rows)" if check.slice else "whole table"
    if check.value is None:
        return [tag("span", "not judged", class_="verdict"), title, where, f"{_asked(check)} ({check.note})", "–"]
    word = "passed" if check.passed else "failed"
    return [tag("span", word, class_=f"verdict {word}"), title, where, _asked(check), _reached(check)]


def _together(checks: list[Check], has_failed_elsewhere: bool) -> list[object]:
    """A row for a rule that holds in many slices: the one that is closest to the limit."""
    judged = [check for check in checks if check.value is not None]
    if not judged:
        return _rule(checks[0])
    closest = min(judged, key=lambda check: check.margin)
    number = (
        f"{len(judged)} more"
        if has_failed_elsewhere
        else f"{'all ' if len(judged) == len(checks) else ''}{len(judged)}"
    )
    left = len(checks) - len(judged)
    why = next((check.note for check in checks if check.value is None), "")
    rest = f"; {left} not judged: {why}" if left else ""
    row = _rule(closest)
    return [*row[:2], f"{number} slices, closest is {closest.slice}{rest}", *row[3:]]


def _asked(check: Check) -> str:
    if check.bound == "minDelta":
        if not check.limit:
            return "no worse than the champion"
        return (
            f"ahead of the champion by {check.limit:g}"
            if check.limit > 0
            else f"behind the champion by {-check.limit:g} at most"
        )
    return {
        "min": f"at least {check.limit:g}",
        "max": f"at most {check.limit:g}",
        "minSamples": f"on {check.limit:,.0f} rows or more",
        "canServe": f"can be loaded and predicts{f' ({check.note})' if check.note else ''}",
    }[check.bound]


def _reached(check: Check) -> str:
    assert check.value is not None
    if check.bound == "canServe":
        return "yes" if check.passed else "no"
    if check.bound == "minDelta":
        return f"{check.reached:+.3g}"
    return f"{check.value:,.0f}" if check.bound == "minSamples" else measured(check.value)

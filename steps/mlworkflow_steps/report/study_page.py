"""The report of `study`: a search on one page, from the facts of its JSON twin alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mlworkflow_steps.data.trials import Dimension
from mlworkflow_steps.report import charts, study_charts
from mlworkflow_steps.report.document import document, header, headline, number, section
from mlworkflow_steps.report.html import Markup, table, tag
from mlworkflow_steps.report.study_charts import written

_MOST_ROWS = 20
_MOST_SLICES = 12
_ENDS = ("Succeeded", "Pruned", "Failed", "Cancelled", "Skipped")


def study_page(facts: Mapping[str, Any], title: str, digests: Mapping[str, str]) -> str:
    """The document. `title` says which step of which workflow, `digests` what came in."""
    metric = facts["objectives"][0]["name"]
    (algorithm,) = facts["algorithm"]
    line = f"{_many(len(facts['trials']), 'trial')} of {_many(len(facts['space']), 'parameter')} by {algorithm}, {_aims(facts)}"
    verdict = tag(
        "div",
        "Ended early" if facts["ended"] else "Complete",
        class_=f"verdict {'open' if facts['ended'] else 'passed'}",
    )
    parts = [
        header("Tuning report", title, line, verdict),
        _headlines(facts, metric),
        tag("div", _history(facts, metric), _importances(facts), class_="pair"),
        *_fronts(facts),
        _curves(facts, metric),
        _parallel(facts, metric),
        _slices(facts, metric),
        tag("div", _best(facts), _top(facts, metric), class_="pair"),
        _time_line(facts),
        _failures(facts),
        _provenance(facts, digests),
    ]
    return document(f"{title}: tuning report", parts)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _aims(facts: Mapping[str, Any]) -> str:
    return " and ".join(f"to {objective['goal']} {objective['name']}" for objective in facts["objectives"])


def _headlines(facts: Mapping[str, Any], metric: str) -> Markup:
    best, seconds = facts["best"], facts["seconds"]
    cards = [
        headline(f"Best {metric}", number(best["values"][metric]), f"trial {best['trial']}; half of the trials reach {number(facts['median'][metric])}"),
        headline("Trials", f"{len(facts['trials']):,}", _ends(facts)),
        headline("Time", _duration(seconds["wall"]), _at_once(seconds)),
    ]  # fmt: skip
    if facts["pareto"]:
        cards.append(headline("Pareto front", f"{len(facts['pareto']):,}", "trials that no other beats in all metrics"))
    elif found := facts["importances"].get(metric):
        cards.append(headline("Matters most", found[0]["param"], f"{found[0]['share']:.0%} of the difference"))
    return tag("div", *cards, class_="cards")


def _ends(facts: Mapping[str, Any]) -> str:
    counts = facts["counts"]
    words = [f"{counts[end]:,} {end.lower()}" for end in _ENDS if end in counts]
    if facts["cached"]:
        words.append(f"{facts['cached']:,} of earlier runs")
    return ", ".join(words)


def _at_once(seconds: Mapping[str, float]) -> str:
    if not seconds["wall"]:
        return "nothing had to run"
    return f"{_duration(seconds['trials'])} of trials, {seconds['trials'] / seconds['wall']:.1f} at once"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _space(facts: Mapping[str, Any]) -> list[Dimension]:
    return [Dimension.of(name, spec) for name, spec in sorted(facts["space"].items())]


def _ranked(facts: Mapping[str, Any], metric: str) -> list[Dimension]:
    """The parameters, those that matter most first."""
    order = {entry["param"]: place for place, entry in enumerate(facts["importances"].get(metric, []))}
    return sorted(_space(facts), key=lambda dimension: order.get(dimension.name, 0))


def _history(facts: Mapping[str, Any], metric: str) -> Markup:
    note = "A dot for each trial; the line is the best so far. Marks at the foot are trials without a value."
    return section("History", note, study_charts.history(facts["trials"], metric, facts["best_so_far"][metric]))


def _importances(facts: Mapping[str, Any]) -> Markup:
    found = {metric: entries for metric, entries in facts["importances"].items() if entries}
    if not found:
        return section(
            "What matters", "There are too few trials, or they are too much alike, to tell the parameters apart."
        )
    note = (
        "How much worse a forest that has learned the trials guesses when a parameter is shuffled, as a share of all."
    )
    pictures = [
        part
        for metric, entries in found.items()
        for part in (
            *([tag("h3", metric)] if len(found) > 1 else []),
            charts.bars(
                [(entry["param"], entry["share"]) for entry in entries[:_MOST_SLICES]], "of the difference", longest=1.0
            ),
        )
    ]
    return section("What matters", note, *pictures)


def _fronts(facts: Mapping[str, Any]) -> list[Markup]:
    """Every two metrics against each other."""
    metrics = [objective["name"] for objective in facts["objectives"]]
    pairs = [(one, other) for index, one in enumerate(metrics) for other in metrics[index + 1 :]]
    if not pairs:
        return []
    pictures = [study_charts.front(facts["trials"], other, one, facts["pareto"], draws_line=len(metrics) == 2) for one, other in pairs]  # fmt: skip
    note = "Trials on the front are beaten by no other in all metrics: choose among them."
    first = facts["objectives"][0]["goal"] == "maximize"
    chosen = [trial for trial in facts["trials"] if trial["number"] in set(facts["pareto"])]
    chosen.sort(key=lambda trial: trial["values"][metrics[0]], reverse=first)
    rows = [
        [trial["number"], *(number(trial["values"][metric]) for metric in metrics), _params(trial["params"])]
        for trial in chosen[:_MOST_ROWS]
    ]
    found = table(["Trial", *metrics, "Parameters"], rows, numeric_from=len(metrics) + 2)
    content = [*pictures, found] if len(pictures) == 1 else [tag("div", *pictures, class_="pair"), found]
    return [section("Pareto front", note, tag("div", *content, class_="pair" if len(pictures) == 1 else None))]


def _curves(facts: Mapping[str, Any], metric: str) -> Markup:
    if not any(trial["curve"] for trial in facts["trials"]):
        return Markup("")
    note = f"What each trial said of {metric} while it ran; the best is marked, and a dot is where a trial was stopped."
    if facts["spared"]:
        note += f" Stopping them spared {facts['spared']:.0%} of the steps."
    picture = study_charts.curves(facts["trials"], metric, facts["best"]["trial"])
    return section("On the way", note, tag("div", picture, class_="scroll wide"))


def _parallel(facts: Mapping[str, Any], metric: str) -> Markup:
    goal = facts["objectives"][0]["goal"]
    note = (
        f"Each line is a trial: through its parameters to its {metric}. The better, the stronger; the best is marked."
    )
    picture = study_charts.parallel(
        facts["trials"], metric, _space(facts), facts["best"]["trial"], is_max=goal == "maximize"
    )
    return section("How parameters go together", note, tag("div", picture, class_="scroll wide"))


def _slices(facts: Mapping[str, Any], metric: str) -> Markup:
    chosen = _ranked(facts, metric)
    note = f"{metric} against each parameter; later trials are stronger."
    if len(chosen) > _MOST_SLICES:
        note += f" The {_MOST_SLICES} that matter most of {len(chosen)}."
    pictures = [study_charts.slice_of(facts["trials"], metric, dimension) for dimension in chosen[:_MOST_SLICES]]
    return section("One parameter at a time", note, tag("div", *pictures, class_="slices"))


def _best(facts: Mapping[str, Any]) -> Markup:
    best = facts["best"]
    rows: list[list[object]] = [
        [name, value if isinstance(value, str) else json.dumps(value)] for name, value in best["params"].items()
    ]
    values = [[metric, number(value)] for metric, value in best["values"].items()]
    artifacts = [[name, tag("code", f"{digest[:19]}…")] for name, digest in best["artifacts"].items()]
    return section(f"The best trial: {best['trial']}", "Its parameters, its numbers, and what it has left.", table(["", ""], [*rows, *values, *artifacts]))  # fmt: skip


def _top(facts: Mapping[str, Any], metric: str) -> Markup:
    is_max = facts["objectives"][0]["goal"] == "maximize"
    found = [trial for trial in facts["trials"] if trial["phase"] == "Succeeded" and metric in trial["values"]]
    found.sort(key=lambda trial: (-trial["values"][metric] if is_max else trial["values"][metric], trial["number"]))
    rows = [[trial["number"], number(trial["values"][metric]), _params(trial["params"])] for trial in found[:10]]
    return section("The ten best", "All trials are in the table that the step leaves beside this page.", table(["Trial", metric, "Parameters"], rows, numeric_from=3))  # fmt: skip


def _params(params: Mapping[str, Any]) -> Markup:
    return tag("span", ", ".join(f"{name}={written(value)}" for name, value in params.items()), class_="soft")


def _time_line(facts: Mapping[str, Any]) -> Markup:
    if not facts["time_line"]:
        return Markup("")
    return section("Time line", "When each trial ran; those at the same time are below each other.", tag("div", study_charts.time_line(facts["time_line"]), class_="scroll wide"))  # fmt: skip


def _failures(facts: Mapping[str, Any]) -> Markup:
    """Why trials failed, by their reasons."""
    failed = [trial for trial in facts["trials"] if trial["phase"] == "Failed"]
    if not failed:
        return Markup("")
    counts = Counter(trial["reason"] for trial in failed)
    firsts = {reason: next(trial for trial in failed if trial["reason"] == reason) for reason in counts}
    rows = [
        [reason, count, firsts[reason]["number"], firsts[reason]["message"].strip().rpartition("\n")[2]]
        for reason, count in counts.most_common()
    ]
    return section("Trials that failed", "Each reason with its first trial, and the last line of what that said.", table(["Reason", "Trials", "First", "Message"], rows, numeric_from=4))  # fmt: skip


def _provenance(facts: Mapping[str, Any], digests: Mapping[str, str]) -> Markup:
    rows: list[Sequence[object]] = [
        ("Algorithm", tag("code", json.dumps(facts["algorithm"], sort_keys=True))),
        ("Budget", tag("code", json.dumps(facts["budget"], sort_keys=True))),
        *(
            (f"Space: {name}", tag("code", json.dumps(spec, sort_keys=True)))
            for name, spec in sorted(facts["space"].items())
        ),
        *((f"Fixed: {name}", tag("code", json.dumps(value))) for name, value in sorted(facts["fixed"].items())),
        *(("Constraint", tag("code", constraint)) for constraint in facts["constraints"]),
        *([("Ended early", facts["ended"])] if facts["ended"] else []),
        ("From, to", tag("code", f"{facts['started']} – {facts['finished']}")),
        *((f"Digest of {name}", tag("code", digest)) for name, digest in digests.items()),
    ]
    return section(
        "How it was searched", "Enough to make the same search again.", table(["", ""], rows, numeric_from=2)
    )

"""The report of `evaluate` as one page: the verdict and its reasons first, then what the model does, then how it came to be."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mlworkflow_steps.evaluation.evaluation import Evaluation
from mlworkflow_steps.evaluation.intervals import RESAMPLES, Interval
from mlworkflow_steps.models.scores import SCORES
from mlworkflow_steps.report.curves import Estimate, estimates
from mlworkflow_steps.report.document import document, folded, halves, header, headline, measured, section
from mlworkflow_steps.report.evaluation_gate import gate_section
from mlworkflow_steps.report.evaluation_inside import dependence, over_time, through_tree, uses, worst
from mlworkflow_steps.report.evaluation_task import of_task
from mlworkflow_steps.report.html import Markup, table, tag

_HEADLINES = 4
_MOST_ESTIMATES = 24
_MOST_FEATURES = 200


def evaluation_page(found: Evaluation, title: str, digests: Mapping[str, str]) -> str:
    """The document. `title` says which step of which workflow, `digests` what came in."""
    parts = [
        _header(found, title),
        _cards(found),
        gate_section(found.checks),
        _champion(found),
        halves(*of_task(found), *uses(found)),
        dependence(found),
        _slices(found),
        over_time(found),
        worst(found),
        through_tree(found),
        _metrics(found),
        _provenance(found, digests),
    ]
    return document(f"{title}: evaluation report", parts)


def _header(found: Evaluation, title: str) -> Markup:
    about = found.about
    failed = [check for check in found.checks if not check.passed]
    verdict, kind = (
        ("Gate failed", "failed") if failed else ("Gate passed", "passed") if found.checks else ("No gate", "open")
    )
    what = f"predicting “{about.target}” ({found.task})" if about.target else found.task
    line = f"{about.estimator}, {what} on {found.rows:,} test rows, trained on {about.rows:,}"
    return header("Evaluation report", title, line, tag("div", verdict, class_=f"verdict {kind}"))


def _cards(found: Evaluation) -> Markup:
    """The gate's metrics come first: they are what the reader decides by."""
    gated = [check.metric for check in found.checks if check.metric]
    cards = []
    for name in list(dict.fromkeys([*gated, *found.values]))[:_HEADLINES]:
        if name not in found.values:
            continue
        notes = [_between(found.intervals[name], found.bootstrap.confidence)] if name in found.intervals else []
        if found.champion and name in found.champion.values:
            notes.append(f"champion {measured(found.champion.values[name])}")
        if name in found.baseline:
            notes.append(f"baseline {measured(found.baseline[name])}")
        cards.append(headline(SCORES[name].title, measured(found.values[name]), *notes))
    return tag("div", *cards, class_="cards")


def _between(interval: Interval, confidence: float) -> str:
    return f"{measured(interval.low)} to {measured(interval.high)} ({confidence:.0%})"


def _champion(found: Evaluation) -> Markup:
    champion = found.champion
    if champion is None:
        if not any(check.bound == "minDelta" for check in found.checks):
            return Markup("")
        return section(
            "Beside the champion", "There is no champion yet, so nothing is asked of this model that compares with it."
        )
    rows = []
    for name, ahead in champion.ahead.items():
        interval = champion.intervals.get(name)
        word, kind = _standing(ahead, interval)
        rows.append(
            [
                tag("span", word, class_=f"verdict {kind}"),
                SCORES[name].title,
                measured(found.values[name]),
                measured(champion.values[name]),
                f"{ahead:+.3g}",
                "–" if interval is None else f"{interval.low:+.3g} to {interval.high:+.3g}",
            ]
        )
    note = (
        f"The champion, {champion.about.estimator} trained on {champion.about.rows:,} rows, on the same {found.rows:,} test rows. Ahead: by how much this model is "
        f"better, whichever way the metric goes; the interval ({found.bootstrap.confidence:.0%}) draws the same rows for both."
    )
    head = ["", "Metric", "This model", "Champion", "Ahead", "Interval"]
    return section("Beside the champion", note, table(head, rows, numeric_from=2))


def _standing(ahead: float, interval: Interval | None) -> tuple[str, str]:
    if interval is None:
        return ("–", "open") if ahead == 0 else ("better", "passed") if ahead > 0 else ("worse", "failed")
    return (
        ("better", "passed")
        if interval.low > 0
        else ("worse", "failed")
        if interval.high < 0
        else ("no clear difference", "open")
    )


def _slices(found: Evaluation) -> Markup:
    if not found.slices:
        return Markup("")
    main = next(iter(found.slices[0].values), "")
    names = [name for name in found.slices[0].values if name != main]
    bad = {check.slice for check in found.checks if not check.passed}
    parts = []
    for column in dict.fromkeys(part.column for part in found.slices):
        chosen = [part for part in found.slices if part.column == column]
        drawn = [
            Estimate(
                part.label,
                part.values[main],
                part.intervals.get(main),
                other=(part.champion or {}).get(main),
                note=f"{part.rows:,} rows",
                is_bad=part.name in bad,
            )
            for part in chosen
            if main in part.values
        ]
        chart = estimates(drawn[:_MOST_ESTIMATES], SCORES[main].title, found.values.get(main)) if drawn else Markup("")
        head = [column, "Rows", SCORES[main].title, *(SCORES[name].title for name in names)]
        if found.task == "regression":
            head.append("Mean error")
        rows = [
            [part.label, f"{part.rows:,}", *(measured(part.values[name]) if name in part.values else "–" for name in (main, *names)),
             *([] if part.error is None else [f"{part.error:+.3g}"])]
            for part in chosen
        ]  # fmt: skip
        parts.append(section(f"By {column}", "", chart, folded("Numbers", table(head, rows))))
    against = " An open circle is the champion." if found.champion else ""
    note = f"Each part of the table by itself. The line across a dot is its interval ({found.bootstrap.confidence:.0%}), the dashed line the whole table's value.{against}"
    return tag("div", section("Slices", note), halves(*parts))


def _metrics(found: Evaluation) -> Markup:
    rows = []
    for name, value in found.values.items():
        score = SCORES[name]
        interval = found.intervals.get(name)
        rows.append([
            score.title,
            tag("code", name),
            "lower" if score.lower else "higher",
            measured(value),
            "–" if interval is None else f"{measured(interval.low)} to {measured(interval.high)}",
            measured(found.baseline[name]) if name in found.baseline else "–",
            *([] if found.champion is None else [measured(found.champion.values[name]) if name in found.champion.values else "–"]),
        ])  # fmt: skip
    trained = [[name, tag("code", name), "–", measured(value), "–", "–", *([] if found.champion is None else ["–"])] for name, value in found.about.metrics.items()]  # fmt: skip
    note = f"Intervals ({found.bootstrap.confidence:.0%}) are from {RESAMPLES} resamples of the test rows, seed {found.bootstrap.seed}."
    if found.baseline:
        note += " The baseline knows nothing but the target of the training part."
    if trained:
        note += " What begins with cv_ comes from cross-validation in training."
    head = [
        "Metric",
        "Name",
        "Better",
        "Value",
        "Interval",
        "Baseline",
        *([] if found.champion is None else ["Champion"]),
    ]
    return section("All metrics", note, table(head, [*rows, *trained], numeric_from=3))


def _provenance(found: Evaluation, digests: Mapping[str, str]) -> Markup:
    about = found.about
    rows: list[tuple[str, object]] = [(f"Digest of {name}", tag("code", digest)) for name, digest in digests.items()]
    rows.append(("Estimator", tag("code", json.dumps(about.spec, indent=1, sort_keys=True))))
    rows.append(("Parameters", tag("code", json.dumps(dict(about.params), sort_keys=True))))
    rows.append(("Seed", tag("code", about.seed)))
    more = f" and {len(about.features) - _MOST_FEATURES:,} more" if len(about.features) > _MOST_FEATURES else ""
    rows.append(("Features", tag("code", ", ".join(about.features[:_MOST_FEATURES]) + more)))
    rows.append(("Versions", tag("code", ", ".join(f"{name} {version}" for name, version in about.versions.items()))))
    note = "Enough to make the same model again. How long a single prediction takes is in the step's log and metrics (latency_ms): it differs every time, and this page does not."
    return section("How it came to be", note, table(["", ""], rows, numeric_from=2))

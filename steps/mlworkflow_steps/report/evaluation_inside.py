"""What the report of `evaluate` shows of the inside of a model: what it uses and how, and where it is wrong."""

from __future__ import annotations

from typing import Any

from mlworkflow_steps.data.table import Task
from mlworkflow_steps.evaluation.dependence import Dependence
from mlworkflow_steps.evaluation.evaluation import Evaluation
from mlworkflow_steps.models.scores import SCORES
from mlworkflow_steps.report import charts
from mlworkflow_steps.report.curves import Line, figure, heat, legend, lines
from mlworkflow_steps.report.document import folded, measured, section
from mlworkflow_steps.report.html import Markup, table, tag

_IMPORTANT = 15
_FEW = 8
_DEEPEST = 25
_SMALL, _LOW, _WIDE = 320.0, 210.0, 980.0
_SIZES: dict[Task, str] = {
    "regression": "mean size of errors",
    "multioutput": "mean size of errors, in standard deviations",
}
_WEIGHTS: dict[Task, str] = {
    "regression": "Error",
    "multioutput": "Error (standard deviations)",
    "classification": "Confidence",
    "multilabel": "Wrong labels",
}


def uses(found: Evaluation) -> list[Markup]:
    """Importances, and what the model says of the two most important columns together."""
    important = found.inside.importances
    rows = [(each.feature, each.loss) for each in important.found if each.loss > 0][:_IMPORTANT] if important else []
    if important is None or not rows:
        return []
    title = SCORES[important.score].title
    note = f"How much worse {title} gets when a column is shuffled, the mean of {important.repeats} on {important.rows:,} test rows."
    if important.features < len(found.about.features):
        note += f" Tried were the {important.features:,} columns that go most with the predictions."
    parts = [section("What the model uses", note, charts.bars(rows, title))]
    if found.inside.interaction is not None:
        both = found.inside.interaction
        names = [[_value(value) for value in grid] for grid in both.grids]
        note = f"The mean prediction{'' if both.response == 'prediction' else f' (probability of {both.response})'} for pairs of values of the two columns that matter most."
        parts.append(section(f"{both.features[0]} and {both.features[1]}", note, heat(names[0], names[1], both.means, both.features)))  # fmt: skip
    return parts


def dependence(found: Evaluation) -> Markup:
    """What the model says on average at each value of a column."""
    if not found.inside.dependences:
        return Markup("")
    of = "prediction" if found.task in _SIZES else "probability"
    note = f"Partial dependence: the mean {of} on {found.inside.dependence_rows:,} test rows when the column has this value in all of them."
    if max(len(each.curves) for each in found.inside.dependences) > 1:
        note += f" The {'targets' if found.task in _SIZES else 'classes'} that change most are shown."
    if found.task == "multioutput":
        note += " Each target is in its own standard deviations from its mean."
    low = min(value for each in found.inside.dependences for curve in each.curves.values() for value in curve)
    high = max(value for each in found.inside.dependences for curve in each.curves.values() for value in curve)
    margin = (high - low) * 0.05 or 0.5
    figures = [_dependence(each, of, low - margin, high + margin) for each in found.inside.dependences]
    return section("How it uses them", note, tag("div", *figures, class_="grid"))


def _dependence(each: Dependence, of: str, low: float, high: float) -> Markup:
    """Texts, moments and few numbers have a place each; many numbers lie where they are."""
    has_places = len(each.grid) <= _FEW or not all(isinstance(value, int | float) for value in each.grid)
    across = [float(index) if has_places else float(value) for index, value in enumerate(each.grid)]
    curves = [
        Line(name, across, curve, [0.0] * len(across) if has_places else ()) for name, curve in each.curves.items()
    ]
    names = [_value(value) for value in each.grid] if has_places else []
    reach = (min(across), max(across), low, high)
    chart = lines(curves, "", f"mean {of}", reach=reach, places=names, width=_SMALL, height=_LOW)
    return figure(each.feature, chart, legend([line.name for line in curves]))


def over_time(found: Evaluation) -> Markup:
    """How large errors are, and of a quantity which way they go, period by period."""
    if not found.inside.periods:
        return Markup("")
    places = [float(index) for index in range(len(found.inside.periods))]
    sizes = Line(_SIZES.get(found.task, "share of wrong rows"), places, [each.size for each in found.inside.periods])  # fmt: skip
    curves = [sizes]
    if found.task == "regression":
        curves.append(Line("mean of predicted − true", places, [each.error for each in found.inside.periods]))
    low, high = min(0.0, *(value for line in curves for value in line.up)), max(max(line.up) for line in curves)
    reach = (0.0, places[-1], low * 1.05, high * 1.05 if high > low else low + 1)
    names = [each.label.partition(" to ")[0] for each in found.inside.periods]
    zero = ((-0.5, 0.0), (places[-1] + 0.5, 0.0)) if low < 0 else ()
    chart = lines(
        curves, found.inside.time, "error", reach=reach, guide=zero, places=names, is_ordered=True, width=_WIDE
    )
    span = f"{found.inside.periods[0].label.partition(' to ')[0]} to {found.inside.periods[-1].label.rpartition(' to ')[2]}"
    note = f"The test rows in the order of “{found.inside.time}”, from {span}, in {len(found.inside.periods)} periods of about as many rows each."
    rows = [[each.label, f"{each.rows:,}", measured(each.size), *([f"{each.error:+.3g}"] if found.task == "regression" else [])] for each in found.inside.periods]  # fmt: skip
    head = [found.inside.time, "Rows", "Error" if found.task in _SIZES else "Wrong", *(["Mean error"] if found.task == "regression" else [])]  # fmt: skip
    numbers = folded("Numbers", table(head, rows))
    return section(
        "Errors over time",
        note,
        tag("div", chart, class_="scroll wide"),
        legend([line.name for line in curves]),
        numbers,
    )


def worst(found: Evaluation) -> Markup:
    if not found.inside.worst:
        return Markup("")
    weight = _WEIGHTS[found.task]
    columns = list(found.inside.worst[0].values)
    rows = [
        [f"{row.row:,}", *(_value(row.values[name]) for name in columns), _value(row.true), _value(row.predicted), measured(row.weight)]
        for row in found.inside.worst
    ]  # fmt: skip
    note = "Test rows that the model gets most wrong, with the columns that matter most; rows count from 0."
    return section("Worst rows", note, table(["Row", *columns, "True", "Predicted", weight], rows))


def through_tree(found: Evaluation) -> Markup:
    """The questions that a tree asks of one row."""
    path = found.inside.path
    if path is None:
        return Markup("")
    shown = path.questions if len(path.questions) <= _DEEPEST else [*path.questions[: _DEEPEST - 1], path.questions[-1]]
    rows = [
        [f"{question.feature} ≤ {_value(question.limit)}", _value(question.value), "yes" if question.holds else "no",
         _value(question.said) + ("" if question.share is None else f" ({question.share:.0%})"), f"{question.rows:,}"]
        for question in shown
    ]  # fmt: skip
    which = "the one that it gets most wrong" if found.inside.worst else "the first"
    note = f"How the model comes to what it says of row {path.row:,}, {which}: every question, and what the tree says of the training rows with the same answers so far."
    if len(shown) < len(path.questions):
        note += f" Of {len(path.questions)} questions the first {_DEEPEST - 1} and the last are shown."
    return section("One row through the tree", note, table(["Question", "This row", "Answer", "It says then", "Training rows"], rows))  # fmt: skip


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:,.4g}"
    text = "missing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"

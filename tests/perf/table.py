"""What `make perf` prints and keeps: one line for each thing that has a budget."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """`ours` beside `other` (None: nothing to compare with), both in `unit`; `figure` is what the budget bounds: their ratio, or `ours` itself.

    A budget is a bound from above, unless it is `least`.
    """

    what: str
    unit: str
    ours: float
    other: float | None
    figure: float
    budget: float | None
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the budget is kept; always, where there is none."""
        if self.budget is None:
            return True
        return self.figure >= self.budget if self.is_least else self.figure <= self.budget

    def row(self) -> str:
        """One line of text."""
        sign = ">=" if self.is_least else "<="
        budget = "" if self.budget is None else f"{sign} {self.budget:g}"
        verdict = "" if self.budget is None else "met" if self.is_met else "MISSED"
        other = "" if self.other is None else f"{self.other:.3f}"
        return f"{self.what:52} {self.ours:10.3f} {other:>10} {self.unit:8} {self.figure:8.2f} {budget:>9} {verdict}"

    def cells(self) -> str:
        """A row of a table in Markdown."""
        sign = "≥" if self.is_least else "≤"
        other = "" if self.other is None else f"{self.other:.3g}"
        figure = "" if self.other is None else f"{self.figure:.2f}"
        budget = "" if self.budget is None else f"{sign} {self.budget:g} {'met' if self.is_met else '**missed**'}"
        return f"| {self.what.strip()} | {self.ours:.3g} {self.unit} | {other} | {figure} | {budget} |"


def compared(what: str, unit: str, ours: float, other: float, budget: float | None, *, least: bool = False) -> Line:
    """Ours beside the other, as a ratio: of times ours to theirs, of rates (`least`) too."""
    return Line(what, unit, ours, other, ours / other, budget, least)


def measured(what: str, unit: str, ours: float, budget: float | None, *, least: bool = False) -> Line:
    """A figure with a bound of its own."""
    return Line(what, unit, ours, None, ours, budget, least)


MARKS = "<!-- the table begins -->\n", "<!-- the table ends -->"


def documented(lines: Iterable[Line], page: str) -> str:
    """The page with these lines in the table between its marks; rows of what was not measured this time stay."""
    before, _, rest = page.partition(MARKS[0])
    table, mark, after = rest.partition(MARKS[1])
    head, rows = table.splitlines()[:2], table.splitlines()[2:]
    known = {row.split(" | ")[0].removeprefix("| "): row for row in rows}
    known |= {line.what.strip(): line.cells() for line in lines}
    return f"{before}{MARKS[0]}" + "\n".join([*head, *known.values()]) + f"\n{mark}{after}"


def report(lines: Iterable[Line], path: Path, **facts: object) -> bool:
    """Prints the table and writes it with `facts` as JSON; whether every budget is met."""
    found = list(lines)
    print(f"\n{'':52} {'ours':>10} {'other':>10} {'':8} {'figure':>8} {'budget':>9}")
    for line in found:
        print(line.row())
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps({**facts, "lines": [{**asdict(line), "is_met": line.is_met} for line in found]}, indent=1)
    )
    return all(line.is_met for line in found)

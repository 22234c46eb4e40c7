"""A report as one HTML file without a single reference to the outside, so that it can be mailed, archived and trusted.

Its content security policy allows the one style sheet by its hash and nothing else: no script, no image, no frame, no form.
The parts that all reports share are here: header, cards, sections, and how a number is written.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from mlworkflow_steps.report.html import Markup, join, tag
from mlworkflow_steps.report.style import CSS


def document(title: str, parts: Iterable[Markup]) -> str:
    """The whole file."""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = join([
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Markup('<meta name="viewport" content="width=device-width,initial-scale=1">'),
        tag("title", title),
        Markup(f"<style>{CSS}</style>"),
    ])  # fmt: skip
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{tag("main", *parts)}</body></html>\n'


def header(eyebrow: str, title: str, line: str, verdict: Markup) -> Markup:
    text = tag("div", tag("div", eyebrow, class_="eyebrow"), tag("h1", title), tag("div", line, class_="soft"))
    return tag("header", text, verdict)


def headline(title: str, value: object, *notes: str) -> Markup:
    """One number that the reader should see first; a line for each note."""
    lines = (tag("div", note, class_="soft") for note in notes)
    return tag("div", tag("div", title, class_="soft"), tag("b", value), *lines, class_="card")


def section(title: str, note: str, *content: Markup) -> Markup:
    return tag("section", tag("h2", title), *([tag("p", note, class_="soft")] if note else []), *content)


def halves(*sections: Markup) -> Markup:
    """Sections side by side where there is room; what has no partner takes the whole width."""
    return tag("div", *(each for each in sections if each), class_="pair")


def folded(title: str, *content: Markup) -> Markup:
    """What is only there for who asks: opened without a script."""
    return tag("details", tag("summary", title), *content)


def number(value: float) -> str:
    """Four decimals below one, four digits above, and no exponent where people do not expect one."""
    if abs(value) < 1:
        return f"{round(value, 4) + 0.0:.4f}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def measured(value: float) -> str:
    """A number among others like it: four digits whatever they are, so that columns line up."""
    return number(value) if abs(value) < 1 or abs(value) >= 10_000 else f"{value:#.4g}".rstrip(".")

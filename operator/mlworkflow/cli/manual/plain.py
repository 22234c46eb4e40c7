"""A sheet as `--help` prints it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from mlworkflow.cli.manual.sheet import Pairs, Sheet

_COLUMN = 34


def plain(sheet: Sheet, width: int) -> str:
    """Text of at most `width` columns, where words allow it."""
    return "\n".join(_lines(sheet, width)) + "\n"


def _lines(sheet: Sheet, width: int) -> Iterator[str]:
    yield from textwrap.wrap(
        sheet.usage, width, initial_indent="Usage: ", subsequent_indent="       ", break_on_hyphens=False
    )
    for paragraph in (sheet.summary, *sheet.paragraphs):
        yield ""
        yield from textwrap.wrap(paragraph, width, initial_indent="  ", subsequent_indent="  ")
    for title, listed in sheet.commands:
        yield from _section(title, listed, width)
    if sheet.arguments:
        yield from _section("Arguments", sheet.arguments, width)
    for title, listed in sheet.options:
        yield from _section(title, listed, width)
    if sheet.page.examples:
        yield "\nExamples:"
        for command, words in sheet.page.examples:
            yield f"  {command}"
            yield from textwrap.wrap(words, width, initial_indent="      ", subsequent_indent="      ")
    yield from _section("Exit codes", sheet.page.exit_codes, width)
    if sheet.page.see_also:
        yield f"\nSee also: {', '.join(sheet.page.see_also)}"


def _section(title: str, listed: Sequence[tuple[str, str]] | Pairs, width: int) -> Iterator[str]:
    if not listed:
        return
    yield f"\n{title}:"
    column = min(_COLUMN, max(len(term) for term, _ in listed) + 4)
    for term, words in listed:
        lines = textwrap.wrap(words, max(24, width - column)) or [""]
        if len(term) + 4 > column:
            yield f"  {term}"
        else:
            yield f"  {term:<{column - 2}}{lines.pop(0)}".rstrip()
        yield from (f"{'':<{column}}{line}" for line in lines)

"""A sheet as a man page of section 1."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlworkflow.cli.manual.sheet import Pairs, Sheet

SECTION = 1


def file_name(sheet: Sheet) -> str:
    """``mlwf-dataset-add.1``."""
    return f"{sheet.name.replace(' ', '-')}.{SECTION}"


def roff(sheet: Sheet, version: str) -> str:
    """The text of the page, for `man`."""
    return "\n".join(_lines(sheet, version)) + "\n"


def _lines(sheet: Sheet, version: str) -> Iterator[str]:
    title = sheet.name.replace(" ", "-")
    yield f'.TH "{title.upper()}" "{SECTION}" "" "mlworkflow {version}" "MLWorkflow"'
    yield from (".SH NAME", f"{_text(title)} \\- {_text(sheet.summary.rstrip('.'))}")
    yield from (".SH SYNOPSIS", f".B {_text(sheet.usage)}", ".SH DESCRIPTION")
    for paragraph in (sheet.summary, *sheet.paragraphs):
        yield from (".PP", _text(paragraph))
    if sheet.commands:
        yield ".SH COMMANDS"
        for group, listed in sheet.commands:
            yield f".SS {_text(group)}"
            yield from _terms(listed)
    if sheet.arguments:
        yield ".SH ARGUMENTS"
        yield from _terms(sheet.arguments)
    for group, listed in sheet.options:
        yield f".SH {_text(group.upper())}"
        yield from _terms(listed)
    if sheet.page.examples:
        yield ".SH EXAMPLES"
        for command, words in sheet.page.examples:
            yield from (".PP", _text(words), ".PP", ".nf", ".RS", _text(command), ".RE", ".fi")
    if sheet.page.exit_codes:
        yield ".SH EXIT STATUS"
        yield from _terms(sheet.page.exit_codes)
    if sheet.page.see_also:
        yield ".SH SEE ALSO"
        pages = (f".BR {one.replace(' ', '-')} ({SECTION})" for one in sheet.page.see_also)
        yield from pages


def _terms(listed: Pairs) -> Iterator[str]:
    for term, words in listed:
        yield from (".TP", f".B {_text(term)}", _text(words) or "\\&")


def _text(words: str) -> str:
    """With what roff would take for its own put out of its reach."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-").replace("`", "").replace("…", "...")
    return re.sub(r"^([.'])", r"\\&\1", escaped)

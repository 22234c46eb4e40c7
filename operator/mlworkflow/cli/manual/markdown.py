"""The sheets as pages of the documentation: a table of all commands, and each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlworkflow.cli.manual.pages import GROUPS
from mlworkflow.cli.manual.sheet import Pairs, Sheet

_INTRODUCTION = """\
# Every command

Generated from the program by `make crds`: what `mlwf COMMAND --help` prints, and `man mlwf-COMMAND` after `mlwf man DIR`. How the commands work together is told in [The command line](cli.md).
"""
EVERYWHERE = frozenset({"Where it looks", "How it answers"})
"""Options that many commands have alike, told once."""


def table(sheets: Sequence[Sheet]) -> str:
    """All commands by group, one line each."""
    lines = ["| command | what it does |", "|---|---|"]
    for group in GROUPS:
        lines += [f"| **{group}** | |"] if any(_is_leaf(one) and one.page.group == group for one in sheets) else []
        lines += [
            f"| [`{one.path}`](commands.md#{_anchor(one)}) | {_cell(one.summary)} |"
            for one in sheets
            if _is_leaf(one) and one.page.group == group
        ]
    return "\n".join(lines)


def reference(sheets: Sequence[Sheet]) -> str:
    """Every command with its options and examples."""
    parts = [_INTRODUCTION]
    shared: dict[str, Pairs] = {}
    for one in sheets:
        for title, listed in one.options:
            if title in EVERYWHERE:
                known = dict(shared.get(title, ()))
                shared[title] = tuple({**known, **{term: known.get(term, words) for term, words in listed}}.items())
    for title in sorted(shared):
        parts.append(f"## Options of many commands: {title[0].lower()}{title[1:]}\n\n{_list(shared[title])}\n")
    parts += ["\n".join(_page(one)) for one in sheets if _is_leaf(one)]
    return "\n".join(parts).rstrip() + "\n"


def _page(one: Sheet) -> Iterator[str]:
    yield f"## {one.name}\n"
    yield f"```\n{one.usage}\n```\n"
    for paragraph in (one.summary, *one.paragraphs):
        yield f"{_words(paragraph)}\n"
    own = [(title, listed) for title, listed in one.options if title not in EVERYWHERE]
    if one.arguments or own:
        yield (
            _list((*one.arguments, *(pair for title, listed in own for pair in listed if pair[0] != "-h, --help")))
            + "\n"
        )
    if also := [title for title, _ in one.options if title in EVERYWHERE]:
        yield f"And the options {' and '.join(f'“{title}”' for title in also)}.\n"
    if one.page.examples:
        lines = (f"{command:<56} # {words}" if words else command for command, words in one.page.examples)
        yield "```sh\n" + "\n".join(lines) + "\n```\n"
    yield f"Exit codes: {'; '.join(f'{code}: {words}' for code, words in one.page.exit_codes)}.\n"
    if one.page.see_also:
        links = (f"[{name}](#{name.replace(' ', '-')})" for name in one.page.see_also)
        yield f"See also {', '.join(links)}.\n"


def _list(listed: Pairs) -> str:
    return "\n".join(f"* `{term}`: {_words(words)}" if words else f"* `{term}`" for term, words in listed)


def _words(text: str) -> str:
    return text.replace("<", "&lt;")


def _cell(text: str) -> str:
    return _words(text).replace("|", "\\|")


def _anchor(one: Sheet) -> str:
    return one.name.replace(" ", "-")


def _is_leaf(one: Sheet) -> bool:
    return not one.commands

"""A command as it is told: its signature, its docstring and its page, joined. How it is written down is for `plain`, `roff` and `markdown`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlworkflow.cli.manual.pages import GROUPS, PAGES, Page

PROGRAM = "mlwf"
OTHERS = "Options"
UNNAMED = "VALUE"
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """`name` is the whole command: ``mlwf dataset add``. `commands` (of a group), `options` are titled lists of (term, words)."""

    name: str
    usage: str
    summary: str
    paragraphs: tuple[str, ...]
    arguments: Pairs
    options: tuple[tuple[str, Pairs], ...]
    commands: tuple[tuple[str, Pairs], ...]
    page: Page

    @property
    def path(self) -> str:
        """Without the program: ``dataset add``."""
        return self.name.partition(" ")[2]


def sheet(command: Any, context: Any) -> Sheet:
    """Of a command of typer, in its context."""
    path = context.command_path.partition(PROGRAM)[2].strip()
    summary, *paragraphs = _paragraphs(command.help or "")
    page = PAGES.get(path, Page())
    arguments: list[tuple[str, str]] = []
    options: dict[str, list[tuple[str, str]]] = {}
    usage = [context.command_path, "[OPTIONS]"]
    for parameter in command.get_params(context):
        if getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "argument":
            name = parameter.metavar or parameter.name.upper()
            usage.append(name if parameter.required else f"[{name}]")
            arguments.append((name, _words(parameter)))
        else:
            title = getattr(parameter, "rich_help_panel", None) or OTHERS
            options.setdefault(title, []).append((_term(parameter), _words(parameter)))
    if hasattr(command, "commands"):
        usage.append("COMMAND …")
    titled = tuple((title, tuple(options[title])) for title in sorted(options, key=_order))
    return Sheet(
        context.command_path,
        " ".join(usage),
        summary,
        tuple(paragraphs),
        tuple(arguments),
        titled,
        _commands(command, path),
        page,
    )


def sheets(command: Any, name: str = PROGRAM, parent: Any = None) -> Iterator[Sheet]:
    """Of a command and all below it, depth first, in the order of their groups."""
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    yield sheet(command, context)
    below: Mapping[str, Any] = getattr(command, "commands", {})
    for _, listed in _commands(command, context.command_path.partition(PROGRAM)[2].strip()):
        for inner, _ in listed:
            yield from sheets(below[inner], inner, context)


def _term(option: Any) -> str:
    """``-n, --namespace NAME``; not in typer's words, which change from release to release."""
    names = ", ".join(sorted((*option.opts, *option.secondary_opts), key=len))
    if option.is_flag:
        return names
    return f"{names} {option.metavar or UNNAMED}"


def _words(parameter: Any) -> str:
    """The help, with the default and the variable where it does not say them itself."""
    words = [" ".join((parameter.help or "").split())]
    default = getattr(parameter.default, "value", parameter.default)
    is_told = "[default:" in words[0] or getattr(parameter, "is_flag", False)
    if not is_told and isinstance(default, str | int | float) and default != "":
        words.append(f"[default: {default}]")
    if parameter.envvar:
        words.append(f"[env: {parameter.envvar}]")
    return " ".join(words)


def _order(title: str) -> tuple[int, str]:
    """The command's own options first, and last those that many commands have."""
    return (0 if title == OTHERS else 1, title)


def _commands(command: Any, path: str) -> tuple[tuple[str, Pairs], ...]:
    """What is below a group, by the groups of the pages."""
    found: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            group = PAGES.get(f"{path} {name}".strip(), Page()).group
            summary, *_ = _paragraphs(inner.help or "")
            found.setdefault(group, []).append((name, summary))
    return tuple((group, tuple(those)) for group, those in found.items() if those)


def _paragraphs(text: str) -> list[str]:
    """Each on one line; at least one."""
    return [" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n")]

"""Commands of typer whose `--help` is their whole sheet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

F = TypeVar("F", bound=Callable[..., Any])
WIDTH = 110
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}


class Command(TyperCommand):
    """One that does something."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _write(self, ctx, formatter)


class Group(TyperGroup):
    """One that has others below it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _write(self, ctx, formatter)


class App(typer.Typer):
    """A program, or a group of its commands, told by their sheets."""

    def __init__(self, **options: Any) -> None:
        # rich would take longer to import than everything else
        given = {"cls": Group, "no_args_is_help": True, "rich_markup_mode": None, "context_settings": CONTEXT}
        super().__init__(**{**given, **options})

    def command(self, name: str | None = None, **options: Any) -> Callable[[F], F]:
        return super().command(name, **{"cls": Command, "context_settings": CONTEXT, **options})


def _write(command: Any, context: Any, formatter: Any) -> None:
    from mlworkflow.cli.manual.plain import plain
    from mlworkflow.cli.manual.sheet import sheet

    formatter.write(plain(sheet(command, context), formatter.width).rstrip("\n") + "\n")

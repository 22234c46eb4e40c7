"""What is told of the commands: of each one, whole, with examples that are calls of it, and as the pages of the checkout have it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import typer
from mlworkflow.cli.app import app
from mlworkflow.cli.manual.files import CHECKOUT, all_sheets, stale
from mlworkflow.cli.manual.pages import GROUPS, MORE, PAGES
from mlworkflow.cli.manual.plain import plain
from mlworkflow.cli.manual.roff import file_name, roff
from mlworkflow.cli.manual.sheet import UNNAMED, Sheet

SHEETS = {sheet.name: sheet for sheet in all_sheets()}
LEAVES = [sheet for sheet in SHEETS.values() if not sheet.commands]
ROOT: Any = typer.main.get_command(app)


def called(line: str) -> str:
    """The command that a line calls, once its words have been taken as its arguments."""
    words = shlex.split(line.partition(">")[0].partition("|")[0])[1:]
    context, command = ROOT.make_context("mlwf", [], resilient_parsing=True), ROOT
    while hasattr(command, "commands"):
        name = words.pop(0)
        command = command.commands[name]
        is_group = hasattr(command, "commands")
        context = command.make_context(name, [] if is_group else words, parent=context, resilient_parsing=is_group)
    return str(context.command_path)


@pytest.mark.parametrize("sheet", LEAVES, ids=lambda sheet: sheet.name)
def test_a_command_is_told_whole(sheet: Sheet) -> None:
    assert sheet.page.group != MORE, f"add '{sheet.path}' to mlworkflow/cli/manual/pages.py, and run `make crds`"
    assert sheet.summary.endswith(".")
    assert sheet.page.examples, "at least one example"
    for command, words in sheet.page.examples:
        assert called(command) == sheet.name
        assert words
    for other in sheet.page.see_also:
        assert other in SHEETS
    for term, words in [*sheet.arguments, *(pair for _, listed in sheet.options for pair in listed)]:
        assert words, f"{term} says nothing"
        assert UNNAMED not in term.replace("NAME=VALUE", ""), f"{term}: its metavar"


def test_the_groups_have_all_commands_and_no_page_is_of_a_command_that_is_gone() -> None:
    program = SHEETS["mlwf"]
    assert [title for title, _ in program.commands] == [group for group in GROUPS if group != MORE]
    assert {f"mlwf {path}".strip() for path in PAGES} == SHEETS.keys()
    for command, _ in program.page.examples:
        assert called(command) in SHEETS


def test_the_pages_of_the_checkout_are_current() -> None:
    assert sorted(stale(CHECKOUT)) == [], "run `make crds`"


def test_help_keeps_to_the_width_and_has_its_sections() -> None:
    text = plain(SHEETS["mlwf retry"], 80)
    assert max(map(len, text.splitlines())) <= 80
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Arguments:", "Options:", "How it answers:", "Where it looks:", "Examples:", "Exit codes:"]
    assert text.startswith("Usage: mlwf retry [OPTIONS] NAME\n")
    assert "See also: mlwf get, mlwf why-miss" in text


def test_a_man_page_has_nothing_that_roff_would_take_for_its_own() -> None:
    macros = {".TH", ".SH", ".SS", ".PP", ".B", ".BR", ".TP", ".nf", ".fi", ".RS", ".RE"}
    for sheet in SHEETS.values():
        lines = roff(sheet, "1.0").splitlines()
        assert {line.split()[0] for line in lines if line.startswith((".", "'"))} <= macros
        assert lines[1:2] == [".SH NAME"]
    assert file_name(SHEETS["mlwf dataset add"]) == "mlwf-dataset-add.1"

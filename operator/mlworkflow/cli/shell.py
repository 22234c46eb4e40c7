"""`mlwf completion` and `mlwf man`: what makes a shell and `man` know the commands."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Shell(StrEnum):
    """Those that typer knows how to complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]) -> None:
    """Print the script that completes commands, options, runs, steps, artifacts, parameters, models and datasets.

    What is completed is looked up when Tab is pressed: names of runs of this machine in its folder, of a cluster by asking it, for two seconds at most.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print(get_completion_script(prog_name="mlwf", complete_var="_MLWF_COMPLETE", shell=shell.value))


def man(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; it is made if it is not there.")],
) -> None:
    """Write a man page for every command into a folder."""
    from importlib.metadata import version

    from mlworkflow.cli.manual import roff
    from mlworkflow.cli.manual.files import all_sheets

    folder.mkdir(parents=True, exist_ok=True)
    pages = {roff.file_name(sheet): roff.roff(sheet, version("mlworkflow")) for sheet in all_sheets()}
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"{len(pages)} pages in {folder}: man -l {folder / 'mlwf.1'}")

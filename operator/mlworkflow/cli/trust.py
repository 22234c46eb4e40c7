"""Commands on what is signed of runs. They import what they need when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlworkflow.cli.answers import ask, show
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import Name, Output, at_a_place
from mlworkflow.runs.places import Place

if TYPE_CHECKING:
    from mlworkflow.runs.run import Runs
    from mlworkflow.runs.verifying import Findings


@at_a_place("everywhere")
def verify(
    place: Place,
    name: Name,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Public keys to trust, in PEM. [default: those of the operator, or of the folder]"
        ),
    ] = None,
    no_content: Annotated[bool, typer.Option("--no-content", help="Do not read the artifacts themselves.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Check the signature of a run, its records and its artifacts against each other; exit 1 unless all fits."""
    from mlworkflow.runs import verifying

    async def check(runs: Runs) -> Findings:
        pem = key.read_text() if key else await runs.public_keys()
        return await verifying.verify(runs, await runs.get(name), pem, content=not no_content)

    found = ask(place, check)
    show(output, found.plain(), found.text)
    if found.problems:
        raise typer.Exit(1)


@at_a_place("everywhere")
def public_key(place: Place) -> None:
    """Print the public keys that runs of this place are verified with, as PEM."""

    async def fetch(runs: Runs) -> str:
        return await runs.public_keys()

    print(ask(place, fetch), end="")

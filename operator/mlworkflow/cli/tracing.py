"""`mlwf lineage`, `diff`, `export` and `reproduce`. They import what they need when they are called."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlworkflow.cli import completing
from mlworkflow.cli.answers import ask, show, view
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import ANSWERS, Name, Output, Quiet, at_a_place
from mlworkflow.runs.places import Place

if TYPE_CHECKING:
    from mlworkflow.runs.comparing import Side
    from mlworkflow.runs.lineage.graph import Graph
    from mlworkflow.runs.run import Runs


class GraphFormat(StrEnum):
    """As `Format`, and the language of Graphviz."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    DOT = "dot"


@at_a_place("everywhere")
def lineage(
    place: Place,
    artifact: Annotated[
        str, typer.Argument(metavar="DIGEST", help="A digest, its beginning, or RUN/STEP.OUTPUT: `digits/train.model`.")
    ],
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a picture.")] = None,
    output: Annotated[
        GraphFormat,
        typer.Option("-o", "--output", metavar="table|json|yaml|dot", rich_help_panel=ANSWERS, help="How to answer."),
    ] = GraphFormat.TABLE,
) -> None:
    """Show what an artifact was made from, step by step, and what was made with it."""

    async def look(runs: Runs) -> Graph:
        from mlworkflow.runs.lineage.book import Book
        from mlworkflow.runs.lineage.graph import lineage as trace

        run_name, slash, wanted = artifact.partition("/")
        run = await runs.get(run_name) if slash else None
        book = Book.of([act async for act in runs.acts()])
        if run is None:
            return trace(book, book.find(artifact))
        task, _, name = wanted.rpartition(".")
        return trace(book, *book.output(run.uid, run.id, task, name))

    graph = ask(place, look)
    if svg:
        from mlworkflow.runs.lineage.svg import svg as drawn

        svg.write_text(drawn(graph))
    if output is GraphFormat.DOT:
        from mlworkflow.runs.lineage.dot import dot

        print(dot(graph))
        return

    def tree() -> str:
        from mlworkflow.runs.lineage.tree import text

        return text(graph)

    show(Format(output.value), graph.plain(), tree)


@at_a_place("everywhere")
def diff(
    place: Place,
    left: Annotated[str, typer.Argument(metavar="RUN", help="A run.", autocompletion=completing.run_names)],
    right: Annotated[str, typer.Argument(metavar="RUN", help="Another.", autocompletion=completing.run_names)],
    output: Output = Format.TABLE,
) -> None:
    """Show what differs between two runs: parameters, spec, data, images, code, outputs, metrics."""
    from mlworkflow.runs import comparing

    async def look(runs: Runs) -> tuple[Side, Side]:
        from mlworkflow.runs.records import standing

        one, other = await runs.get(left), await runs.get(right)
        return comparing.Side(one, await standing(runs, one)), comparing.Side(other, await standing(runs, other))

    sides = ask(place, look)
    found = comparing.compare(*sides)
    show(output, comparing.plain(*sides, found), lambda: comparing.text(*sides, found))


@at_a_place("everywhere")
def export(
    place: Place,
    name: Name,
    pin: Annotated[
        bool, typer.Option(help="Name the images by the digests that they had, where those are known.")
    ] = True,
    output: Output = Format.YAML,
) -> None:
    """Print the recipe of a run: its workflow as it can be run or applied elsewhere, on other data too."""
    from mlworkflow.cli import again

    found = ask(place, lambda runs: again.exported(runs, name, pin=pin))
    show(output, found, lambda: f"{name}: {len(found['spec']['steps'])} steps")


@at_a_place("everywhere")
def reproduce(
    place: Place,
    name: Name,
    pin: Annotated[
        bool, typer.Option(help="Run the images by the digests that they had, where those are known.")
    ] = True,
    quiet: Quiet = False,
    output: Output = Format.TABLE,
) -> None:
    """Run a run once more without the cache, and compare what comes out bit by bit; exit 1 unless all of it is the same."""
    from mlworkflow.cli import again

    verdict = ask(place, lambda runs: again.reproduced(runs, name, place, view(quiet, output, runs.flags), pin=pin))
    show(output, verdict.plain(), verdict.text)
    if not verdict.is_identical:
        raise typer.Exit(1)

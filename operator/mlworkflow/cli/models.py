"""`mlwf models`: models by name, their versions, and what their aliases mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlworkflow.cli import completing
from mlworkflow.cli.answers import ask, show
from mlworkflow.cli.formats import Format
from mlworkflow.cli.manual.command import App
from mlworkflow.cli.options import Output, at_a_place
from mlworkflow.runs.errors import NoSuchRun, RunsError, Usage
from mlworkflow.runs.places import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlworkflow.runs.comparing import Side
    from mlworkflow.runs.run import Runs

app = App(help="Models by name: what `from: {model: NAME@champion}` stands for.")
Model = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A model: lower case letters, digits and dashes.", autocompletion=completing.model_names
    ),
]
Alias = Annotated[str, typer.Option(metavar="ALIAS", help="The alias that is moved.", show_default=True)]
Why = Annotated[str, typer.Option("-m", "--message", metavar="WORDS", help="Why; it is kept.")]
Reference = Annotated[
    str,
    typer.Argument(
        metavar="NAME@VERSION",
        help="A version: NAME@champion, NAME@3, NAME@sha256:….",
        autocompletion=completing.model_versions,
    ),
]


@app.command("list")
@at_a_place("everywhere")
def list_(place: Place, output: Output = Format.TABLE) -> None:
    """List the models, with what their aliases mean."""
    found = ask(place, lambda runs: runs.models())

    def text() -> str:
        import time

        from mlworkflow.cli import model_tables

        return model_tables.models(found, time.time())

    show(output, found, text)


@app.command("show")
@at_a_place("everywhere")
def show_(place: Place, name: Model, output: Output = Format.TABLE) -> None:
    """Show every version of a model, and every move of its aliases: who, when and why."""
    found = ask(place, lambda runs: _known(runs, name))

    def text() -> str:
        import time

        from mlworkflow.cli import model_tables

        return model_tables.model(found, time.time())

    show(output, found, text)


@app.command()
@at_a_place("everywhere")
def promote(
    place: Place,
    name: Model,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A run, or a version: a number, an alias, a digest.")],
    artifact: Annotated[
        str | None, typer.Argument(metavar="STEP.OUTPUT", help="The model that the run left, if SOURCE is one.")
    ] = None,
    alias: Alias = "champion",
    expect: Annotated[
        str,
        typer.Option(
            metavar="VERSION", help="What the alias has to mean before: a version's number or digest, or `none`."
        ),
    ] = "",
    message: Why = "",
    output: Output = Format.TABLE,
) -> None:
    """Have an alias mean a model: `promote NAME RUN STEP.model`, or `promote NAME VERSION`."""

    async def move(runs: Runs) -> Mapping[str, Any]:
        wish = {"alias": alias, "expect": expect, "message": message}
        if artifact is None:
            return await _move(runs, name, {**wish, "version": source.removeprefix("@")})
        from mlworkflow.runs.artifacts import find

        run = await runs.get(source)
        found = await find(runs, run, artifact)
        return await _move(runs, name, {**wish, "run": run.uid, "digest": found.digest})

    _told(output, name, ask(place, move))


@app.command()
@at_a_place("everywhere")
def rollback(
    place: Place, name: Model, alias: Alias = "champion", message: Why = "", output: Output = Format.TABLE
) -> None:
    """Have an alias mean what it meant before; again, what it meant before that."""
    wish = {"alias": alias, "message": message, "rollback": True}
    _told(output, name, ask(place, lambda runs: _move(runs, name, wish)))


@app.command()
@at_a_place("everywhere")
def compare(place: Place, left: Reference, right: Reference, output: Output = Format.TABLE) -> None:
    """Show what differs between two versions: their metrics, and the runs that left them, as `mlwf diff` does."""
    from mlworkflow.cli import model_tables
    from mlworkflow.runs import comparing

    async def look(runs: Runs) -> tuple[list[Mapping[str, Any]], list[Side | None]]:
        versions = [await _version(runs, reference) for reference in (left, right)]
        return versions, [await _side(runs, version) for version in versions]

    versions, sides = ask(place, look)
    found = model_tables.metrics(*versions)
    kept = [side for side in sides if side]
    if len(kept) == 2:
        found += [one for one in comparing.compare(*kept) if one.kind != "metric"]
    pairs = zip((left, right), versions, strict=True)
    names = [f"{reference.partition('@')[0]}@{version['number']}" for reference, version in pairs]
    gone = [name for name, side in zip(names, sides, strict=True) if not side]
    note = "".join(f"\nthe run that left {name} is not kept any more: only metrics are compared" for name in gone)
    value = comparing.plain_differences(names[0], names[1], found)
    show(output, value, lambda: comparing.differences(names[0], names[1], found) + note)


async def _move(runs: Runs, name: str, wish: Mapping[str, Any]) -> Mapping[str, Any]:
    import secrets

    return await runs.move_alias(name, {**wish, "by": await runs.whoami(), "id": secrets.token_hex(16)})


def _told(output: Format, name: str, move: Mapping[str, Any]) -> None:
    from mlworkflow.cli import model_tables

    show(output, move, lambda: model_tables.moved(name, move))


async def _known(runs: Runs, name: str) -> Mapping[str, Any]:
    if found := await runs.model(name):
        return found
    known = ", ".join(str(model["name"]) for model in await runs.models())
    hint = f"there are: {known}" if known else f"make it: mlwf models promote {name} RUN STEP.OUTPUT{runs.flags}"
    raise RunsError(f"there is no model '{name}'", hint)


async def _version(runs: Runs, reference: str) -> Mapping[str, Any]:
    from mlworkflow.core.origins import model_parts

    if (parts := model_parts(reference)) is None:
        raise Usage(f"'{reference}' is no version of a model", "write NAME@champion, NAME@3 or NAME@sha256:…")
    name, wanted = parts
    model = await _known(runs, name)
    number = model["aliases"].get(wanted)
    for version in model["versions"]:
        if version["digest"] == wanted or version["number"] == number or str(version["number"]) == wanted:
            return dict(version)
    has = ", ".join([*model["aliases"], *(str(version["number"]) for version in model["versions"])])
    raise RunsError(f"the model '{name}' has no '{wanted}'", f"it has: {has}")


async def _side(runs: Runs, version: Mapping[str, Any]) -> Side | None:
    from mlworkflow.runs.comparing import Side
    from mlworkflow.runs.records import standing

    if not version["made"]:
        return None
    try:
        run = await runs.get(version["made"]["uid"])
    except NoSuchRun:
        return None
    return Side(run, await standing(runs, run))

"""`mlwf dataset`: names for data, in versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlworkflow.cli import completing
from mlworkflow.cli.answers import ask, show
from mlworkflow.cli.formats import Format
from mlworkflow.cli.manual.command import App
from mlworkflow.cli.options import Output, at_a_place
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.places import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlworkflow.runs.run import Runs

app = App(help="Named datasets: what `from: {dataset: NAME}` stands for.")
Dataset = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A dataset: lower case letters, digits and dashes.",
        autocompletion=completing.dataset_names,
    ),
]


@app.command()
@at_a_place("everywhere")
def add(
    place: Place,
    name: Dataset,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A file, a directory, an address, or a run.")],
    artifact: Annotated[
        str | None, typer.Argument(metavar="STEP.OUTPUT", help="What the run left, if SOURCE is one.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Add a version to a dataset: `add NAME PATH|URL`, or `add NAME RUN STEP.OUTPUT`. It is the newest from then on."""
    _check(name)

    async def keep(runs: Runs) -> Mapping[str, Any]:
        from mlworkflow.core.values import ArtifactRef
        from mlworkflow.runs.content import opened, shown

        if artifact is None:
            with opened(source) as (reference, content):
                return await runs.add_dataset(name, reference, shown(source), content)
        from mlworkflow.runs.artifacts import find

        run = await runs.get(source)
        found = await find(runs, run, artifact)
        reference = ArtifactRef(found.digest, found.size, found.type)
        return await runs.add_dataset(name, reference, f"{run.id} {found.task}.{found.name} ({run.uid})", None)

    added = ask(place, keep)
    show(output, added, lambda: f"{added['name']}@{added['digest']}")


@app.command("list")
@at_a_place("everywhere")
def list_(place: Place, output: Output = Format.TABLE) -> None:
    """List the datasets, each with its newest version."""
    found = ask(place, lambda runs: runs.datasets())
    show(
        output, found, lambda: _table(found, "NAME", "name") if found else "no datasets yet: mlwf dataset add NAME PATH"
    )


@app.command("show")
@at_a_place("everywhere")
def show_(place: Place, name: Dataset, output: Output = Format.TABLE) -> None:
    """Show every version of a dataset, the newest first."""
    _check(name)

    async def look(runs: Runs) -> Sequence[Mapping[str, Any]]:
        if found := await runs.datasets(name):
            return found
        known = ", ".join(str(one["name"]) for one in await runs.datasets())
        hint = f"there are: {known}" if known else f"add it: mlwf dataset add {name} PATH{runs.flags}"
        raise RunsError(f"there is no dataset '{name}'", hint)

    found = ask(place, look)
    show(output, found, lambda: _table(found, "VERSION", "digest"))


@app.command()
@at_a_place("everywhere")
def remove(
    place: Place,
    version: Annotated[str, typer.Argument(metavar="NAME[@DIGEST]", help="A version, as `dataset show` lists it.")],
    all_: Annotated[bool, typer.Option("--all", help="Every version of the dataset.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Forget a version of a dataset, or all. What runs have taken of it they keep."""
    name, _, digest = version.partition("@")
    _check(name)

    async def forget(runs: Runs) -> Sequence[Mapping[str, Any]]:
        there = await runs.datasets(name)
        found = [one for one in there if digest in ("", one["digest"])]
        if not found:
            what = f"the dataset '{name}' has no version {digest}" if there else f"there is no dataset '{name}'"
            raise RunsError(what, f"see: mlwf dataset {f'show {name}' if there else 'list'}{runs.flags}")
        if len(found) > 1 and not all_:
            raise Usage(
                f"'{name}' has {len(found)} versions: name one, {name}@{found[0]['digest']}, or say --all",
                f"see: mlwf dataset show {name}{runs.flags}",
            )
        for one in found:
            await runs.remove_dataset(name, str(one["digest"]))
        return found

    removed = ask(place, forget)
    show(output, removed, lambda: "\n".join(f"removed {name}@{one['digest']}" for one in removed))


def _check(name: str) -> None:
    from mlworkflow.core.names import MAX_NAME, STEP_NAME

    if not re.fullmatch(STEP_NAME, name) or len(name) > MAX_NAME:
        raise Usage(f"'{name}' is no name of a dataset", "it has lower case letters, digits and dashes, at most 63")


def _table(found: Sequence[Mapping[str, Any]], title: str, field: str) -> str:
    import time

    from mlworkflow.core.duration import human
    from mlworkflow.runs.text import size, table

    now = time.time()
    rows = [
        [
            str(one[field]),
            *([] if field == "digest" else [str(one["digest"])]),
            str(one["type"]),
            size(int(one["size"])),
            human(max(0.0, now - float(one["added"]))),
            str(one.get("source") or "-"),
        ]
        for one in found
    ]
    more = [] if field == "digest" else ["NEWEST"]
    return table([title, *more, "TYPE", "SIZE", "AGE", "SOURCE"], rows)

"""Commands on runs: seeing, changing and forgetting them. They import what they need when they are called."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlworkflow.cli import completing
from mlworkflow.cli.answers import ask, exit_as, show, view
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import Name, Output, Quiet, at_a_place
from mlworkflow.runs import errors, text
from mlworkflow.runs.places import Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mlworkflow.runs.artifacts import Artifact
    from mlworkflow.runs.run import Run, Runs


@at_a_place()
def list_(
    place: Place,
    archived: Annotated[
        bool, typer.Option("--archived", help="Those that have ended and are kept, also when they are gone.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """List runs, oldest first."""
    from mlworkflow.cli import render

    if archived:
        if place.everywhere:
            raise errors.Usage(
                "--archived is of one namespace, and -A of all", "name one: mlwf list --archived -n NAMESPACE"
            )
        ended = ask(place, lambda runs: runs.archived())
        show(output, [render.line(one) for one in ended], lambda: render.line_table(ended, time.time()))
        return
    found = ask(place, lambda runs: runs.list(place.everywhere))
    if not found and output is Format.TABLE:
        print("no runs yet: mlwf run FILE, or mlwf submit FILE", file=sys.stderr)
        return
    plain = [render.summary(one) for one in found]
    show(output, plain, lambda: render.run_table(found, time.time(), namespaces=place.everywhere))


@at_a_place("everywhere")
def get(
    place: Place,
    name: Name,
    tasks: Annotated[
        bool,
        typer.Option(
            "--tasks", help="Also what steps are made of: items, trials, steps; all of them, from their records."
        ),
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show a run and its steps, and what it waits for; also one that is gone and is kept."""
    from mlworkflow.cli import render
    from mlworkflow.runs.completing import completed

    async def look(runs: Runs) -> tuple[Run, str]:
        found = await runs.get(name)
        return await completed(runs, found) if tasks else found, runs.flags

    found, flags = ask(place, look)
    show(output, found.plain(), lambda: render.run_page(found, time.time(), flags, tasks=tasks))


@at_a_place("everywhere", "operator_namespace")
def watch(place: Place, name: Name, quiet: Quiet = False, output: Output = Format.TABLE) -> None:
    """Show a run until it has ended; exit 1 unless it succeeded."""
    from mlworkflow.cli import live, render

    async def follow(runs: Runs) -> tuple[Run, str]:
        return await live.followed(runs, name, view(quiet, output, runs.flags)), runs.flags

    found, flags = ask(place, follow)
    show(output, found.plain(), lambda: render.ending(found, flags, time.time()))
    exit_as(found)


@at_a_place("everywhere")
def logs(
    place: Place,
    name: Name,
    step: Annotated[
        str | None,
        typer.Argument(
            help="A step, or a trial: `tune/3`. All, if it is left out.", autocompletion=completing.step_names
        ),
    ] = None,
    attempt: Annotated[int | None, typer.Option(metavar="N", help="An attempt, from 0. [default: the last]")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until it has ended.")] = False,
) -> None:
    """Print what steps have printed, while they run and afterwards."""
    from mlworkflow.runs import logs as reader

    if attempt is not None and step is None:
        raise errors.Usage("--attempt is of one step", f"name it: mlwf logs {name} STEP --attempt {attempt}")

    async def copy(runs: Runs) -> None:
        found = await runs.get(name)
        log = reader.log_of(runs, found, step, attempt, follow) if step else reader.all_logs(runs, found, follow)
        async for piece in log:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()

    ask(place, copy)


@at_a_place("everywhere")
def artifacts(
    place: Place,
    name: Name,
    trials: Annotated[bool, typer.Option("--trials", help="What each trial of a tune step left, too.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List what a run left."""
    from mlworkflow.cli import render
    from mlworkflow.runs.artifacts import artifacts_of

    async def collect(runs: Runs) -> Any:
        return await artifacts_of(runs, await runs.get(name), trials=trials)

    found = ask(place, collect)
    show(output, [artifact.plain() for artifact in found], lambda: render.artifact_table(found))


@at_a_place("everywhere")
def download(
    place: Place,
    name: Name,
    artifact: Annotated[
        str,
        typer.Argument(
            metavar="STEP.ARTIFACT",
            help="`train.model`, `tune/3.model`, `train.logs`.",
            autocompletion=completing.artifact_names,
        ),
    ],
    destination: Annotated[str | None, typer.Argument(metavar="DEST", help="Where to; `-` is standard output.")] = None,
    attempt: Annotated[
        int | None, typer.Option(metavar="N", help="What this attempt left, which failed. [default: the result]")
    ] = None,
    signature: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a model's signature, for the tool model_signing.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Fetch an artifact, verified by its digest; a directory is unpacked, and a collection becomes a directory of its members."""
    from mlworkflow.cli import progress
    from mlworkflow.runs.artifacts import find, why_removed
    from mlworkflow.runs.download import download as fetch

    signed: list[bytes] = []

    def read(runs: Runs, run: Run, wanted: Artifact, digest: str) -> AsyncIterator[bytes]:
        return progress.shown(runs.artifact(run, digest), wanted.size if digest == wanted.digest else 0, artifact)

    async def get_it(runs: Runs) -> Any:
        found = await runs.get(name)
        wanted = await find(runs, found, artifact, attempt)
        if signature:
            from mlworkflow.runs.verifying import signature_of

            signed.append(await signature_of(runs, found, wanted))
        try:
            return wanted, await fetch(wanted, lambda digest: read(runs, found, wanted, digest), destination)
        except errors.Removed:
            if why := await why_removed(runs, found, wanted):
                raise errors.Removed(why, "make it again: mlwf retry NAME --step STEP") from None
            raise

    wanted, path = ask(place, get_it)
    if signature:
        signature.write_bytes(signed[0])
    if path is not None:
        plain = {**wanted.plain(), "path": str(path)}
        mark = f", left by attempt {wanted.attempt}, which failed" if wanted.is_failed else ""
        show(output, plain, lambda: f"{path} ({wanted.type}, {text.size(wanted.size)}, verified{mark})")


@at_a_place("everywhere")
def delete(
    place: Place,
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Runs.", autocompletion=completing.run_names)],
    purge: Annotated[
        bool, typer.Option("--purge", help="Also forget what is kept of them: they cannot be looked at any more.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Delete runs; what still runs of a workflow is ended. What is kept of them can still be looked at."""
    from mlworkflow.cli import render

    async def delete_all(runs: Runs) -> list[Run]:
        found = [await runs.get(name) for name in names]
        for one in found:
            if not (purge and one.is_archived):
                await runs.delete(one)
            if purge:
                await runs.purge(one)
        return found

    deleted = ask(place, delete_all)
    word = "purged" if purge else "deleted"
    show(output, [render.summary(one) for one in deleted], lambda: "\n".join(f"{one.id} {word}" for one in deleted))

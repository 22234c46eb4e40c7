"""Commands on workflow files: `run`, `lint`, `submit`. They import what they need when they are called."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlworkflow.cli.answers import do, exit_as, show, view
from mlworkflow.cli.caching import NoCache
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import PLACES, File, Output, Params, Quiet, Wait, at_a_place
from mlworkflow.runs.places import Place
from mlworkflow.runs.uncached import without_cache

if TYPE_CHECKING:
    from mlworkflow.runs.run import Run

_ENGINE = "MLWF_ENGINE"


def run(
    file: File,
    param: Params = None,
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The folder of runs. [default: $MLWF_HOME or .mlworkflow]", rich_help_panel=PLACES
        ),
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="As it is anyway.", rich_help_panel=PLACES)] = True,
    engine: Annotated[
        str | None,
        typer.Option(
            envvar=_ENGINE,
            metavar="docker|podman",
            help="What runs the commands of `container` steps in their images. [default: they are processes of this machine]",
        ),
    ] = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    output: Output = Format.TABLE,
) -> None:
    """Run a workflow on this machine, to its end. Ctrl-C stops it cleanly, a second one at once."""
    from mlworkflow.cli import local_run, render, sources

    if engine is not None:
        os.environ[_ENGINE] = engine
    resource = sources.prepared_for_here(file, param or [])
    if no_cache:
        resource = without_cache(resource)
    place = Place(local=local, home=home)
    ended, signal = do(
        local_run.run_locally(place.find_home(os.environ), resource, view(quiet, output, place.flags(os.environ)))
    )
    show(output, ended.plain(), lambda: render.ending(ended, place.flags(os.environ), time.time()))
    if signal and ended.phase != "Succeeded":
        raise typer.Exit(128 + signal)
    exit_as(ended)


def lint(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="YAML files; `-` is standard input.")],
    output: Output = Format.TABLE,
) -> None:
    """Find what is wrong with workflows, all of it at once, without running anything."""
    from mlworkflow.runs import code_files, documents
    from mlworkflow.runs import lint as linter

    findings: list[linter.Finding] = []
    sound = []
    for file in files:
        for workflow in map(code_files.with_code, documents.workflows(file)):
            found = linter.lint(workflow)
            findings += found
            if all(finding.severity == "warning" for finding in found):
                sound.append(f"{file}: {workflow.name}: ok, {len(workflow.resource['spec']['steps'])} steps")
    show(output, [finding.plain() for finding in findings], lambda: "\n".join([*map(str, findings), *sound]))
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


@at_a_place("local", "home", "everywhere", "operator_namespace")
def submit(
    place: Place,
    file: File,
    param: Params = None,
    wait: Wait = False,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    output: Output = Format.TABLE,
) -> None:
    """Start a workflow in a cluster."""
    from mlworkflow.cli import live, render, sources
    from mlworkflow.runs.cluster import connected

    async def create(resource: dict[str, Any]) -> tuple[Run, str]:
        at = replace(place, namespace=place.namespace or sources.namespace_of(resource))
        async with connected(at, at.flags({})) as runs:
            made = await runs.submit(without_cache(resource) if no_cache else resource)
            if output is Format.TABLE:
                print(
                    f"{made.id} submitted to the namespace {made.namespace}; watch it: mlwf watch {made.id}{runs.flags}"
                )
            if wait:
                made = await live.followed(runs, made.id, view(quiet, output, runs.flags))
            return made, runs.flags

    made = [do(create(resource)) for resource in sources.prepared(file, param or [])]
    plain = [submitted.plain() for submitted, _ in made]
    if wait or output is not Format.TABLE:
        endings = [render.ending(submitted, flags, time.time()) for submitted, flags in made] if wait else []
        show(output, plain[0] if len(plain) == 1 else plain, lambda: "\n".join(endings))
    if wait:
        exit_as(*(submitted for submitted, _ in made))

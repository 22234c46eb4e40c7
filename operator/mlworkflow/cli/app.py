"""The commands of `mlwf`: what each takes, and what it says. What they do is in the modules beside this one, which are
imported when they are needed: help answers at once.

Exit codes: 0, 1 (it was tried and did not work; a run did not succeed), 2 (wrong call), 130 (Ctrl-C).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from mlworkflow.cli import errors
from mlworkflow.cli.formats import Format, document
from mlworkflow.cli.options import File, Name, Output, Params, Quiet, at_a_place
from mlworkflow.cli.places import Place, runs_at

if TYPE_CHECKING:
    from mlworkflow.cli.live import View
    from mlworkflow.cli.runs import Run, Runs

T = TypeVar("T")
INTERRUPTED = 130
_CLUSTER_ONLY = ("local", "home", "everywhere")

app = typer.Typer(
    name="mlwf",
    help="Machine-learning workflows, on this machine and in a cluster.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would take longer to import than everything else
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run() -> NoReturn:
    """Carry out the command line; ends the process."""
    program = "kubectl mlwf" if Path(sys.argv[0]).name.startswith("kubectl-") else "mlwf"
    try:
        app(prog_name=program)
    except Exception as error:
        sys.exit(errors.report(error))
    sys.exit(0)


@app.command("run")
def run_(
    file: File,
    param: Params = None,
    home: Annotated[Path | None, typer.Option(help="The folder of runs. [default: $MLWF_HOME or .mlworkflow]")] = None,
    quiet: Quiet = False,
    output: Output = Format.TABLE,
) -> None:
    """Run a workflow on this machine, to its end. Ctrl-C stops it cleanly, a second one at once."""
    from mlworkflow.cli import local_run, render, sources

    resource = sources.prepared_for_here(file, param or [])
    place = Place(local=True, home=home)
    ended, signal = _do(local_run.run_locally(place.find_home(os.environ), resource, _view(quiet, output)))
    _show(output, ended.plain(), lambda: render.ending(ended, place.flags(os.environ), time.time()))
    if signal and ended.phase != "Succeeded":
        raise typer.Exit(128 + signal)
    _exit_as(ended)


@app.command()
def lint(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="YAML files; `-` is standard input.")],
    output: Output = Format.TABLE,
) -> None:
    """Find what is wrong with workflows, all of it at once, without running anything."""
    from mlworkflow.cli import documents
    from mlworkflow.cli import lint as linter

    findings: list[linter.Finding] = []
    sound = []
    for file in files:
        for workflow in documents.workflows(file):
            found = linter.lint(workflow)
            findings += found
            if all(finding.severity == "warning" for finding in found):
                sound.append(f"{file}: {workflow.name}: ok, {len(workflow.resource['spec']['steps'])} steps")
    _show(output, [finding.plain() for finding in findings], lambda: "\n".join([*map(str, findings), *sound]))
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


@app.command()
@at_a_place(*_CLUSTER_ONLY, "operator_namespace")
def submit(
    place: Place,
    file: File,
    param: Params = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it until it has ended, and exit 1 unless it succeeded.")] = False,
    quiet: Quiet = False,
    output: Output = Format.TABLE,
) -> None:
    """Start a workflow in a cluster."""
    from mlworkflow.cli import live, render, sources
    from mlworkflow.cli.cluster_runs import connected

    async def create(resource: dict[str, Any]) -> tuple[Run, str]:
        at = replace(place, namespace=place.namespace or sources.namespace_of(resource))
        async with connected(at, at.flags({})) as runs:
            made = await runs.submit(resource)
            if output is Format.TABLE:
                print(f"{made.id} submitted to the namespace {made.namespace}; watch it: mlwf watch {made.id}{runs.flags}")
            if wait:
                made = await live.followed(runs, made.id, _view(quiet, output))
            return made, runs.flags

    made = [_do(create(resource)) for resource in sources.prepared(file, param or [])]
    plain = [submitted.plain() for submitted, _ in made]
    if wait or output is not Format.TABLE:
        endings = [render.ending(submitted, flags, time.time()) for submitted, flags in made] if wait else []
        _show(output, plain[0] if len(plain) == 1 else plain, lambda: "\n".join(endings))
    if wait:
        _exit_as(*(submitted for submitted, _ in made))


@app.command("list")
@at_a_place("operator_namespace")
def list_(place: Place, output: Output = Format.TABLE) -> None:
    """List runs, oldest first."""
    from mlworkflow.cli import render

    found = _ask(place, lambda runs: runs.list(place.everywhere))
    if not found and output is Format.TABLE:
        print("no runs yet: mlwf run FILE, or mlwf submit FILE", file=sys.stderr)
        return
    plain = [render.summary(one) for one in found]
    _show(output, plain, lambda: render.run_table(found, time.time(), namespaces=place.everywhere))


@app.command()
@at_a_place("everywhere", "operator_namespace")
def get(place: Place, name: Name, output: Output = Format.TABLE) -> None:
    """Show a run and its steps."""
    from mlworkflow.cli import render

    found = _ask(place, lambda runs: runs.get(name))
    _show(output, found.plain(), lambda: render.run_page(found, time.time()))


@app.command()
@at_a_place("everywhere", "operator_namespace")
def watch(place: Place, name: Name, quiet: Quiet = False, output: Output = Format.TABLE) -> None:
    """Show a run until it has ended; exit 1 unless it succeeded."""
    from mlworkflow.cli import live, render

    async def follow(runs: Runs) -> tuple[Run, str]:
        return await live.followed(runs, name, _view(quiet, output)), runs.flags

    found, flags = _ask(place, follow)
    _show(output, found.plain(), lambda: render.ending(found, flags, time.time()))
    _exit_as(found)


@app.command()
@at_a_place("everywhere")
def logs(
    place: Place,
    name: Name,
    step: Annotated[str | None, typer.Argument(help="A step, or a trial: `tune/3`. All, if it is left out.")] = None,
    attempt: Annotated[int | None, typer.Option(help="An attempt, from 0. [default: the last]")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until it has ended.")] = False,
) -> None:
    """Print what steps have printed, while they run and afterwards."""
    from mlworkflow.cli import logs as reader

    if attempt is not None and step is None:
        raise errors.Usage("--attempt is of one step: mlwf logs NAME STEP --attempt N")

    async def copy(runs: Runs) -> None:
        found = await runs.get(name)
        log = reader.log_of(runs, found, step, attempt, follow) if step else reader.all_logs(runs, found, follow)
        async for piece in log:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()

    _ask(place, copy)


@app.command()
@at_a_place("everywhere", "operator_namespace")
def stop(place: Place, name: Name, output: Output = Format.TABLE) -> None:
    """Stop a workflow: what runs is ended, and it ends as Cancelled."""
    _change(place, name, {"cancel": True}, "stopping", output)


@app.command()
@at_a_place("everywhere", "operator_namespace")
def suspend(place: Place, name: Name, output: Output = Format.TABLE) -> None:
    """Start no further steps of a workflow; what runs goes on."""
    _change(place, name, {"suspend": True}, "suspended", output)


@app.command()
@at_a_place("everywhere", "operator_namespace")
def resume(place: Place, name: Name, output: Output = Format.TABLE) -> None:
    """Let a suspended workflow go on."""
    _change(place, name, {"suspend": False}, "resumed", output)


@app.command()
@at_a_place("everywhere")
def artifacts(
    place: Place,
    name: Name,
    trials: Annotated[bool, typer.Option("--trials", help="What each trial of a tune step left, too.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List what a run left."""
    from mlworkflow.cli import render
    from mlworkflow.cli.artifacts import artifacts_of

    async def collect(runs: Runs) -> Any:
        return await artifacts_of(runs, await runs.get(name), trials=trials)

    found = _ask(place, collect)
    _show(output, [artifact.plain() for artifact in found], lambda: render.artifact_table(found))


@app.command()
@at_a_place("everywhere")
def download(
    place: Place,
    name: Name,
    artifact: Annotated[str, typer.Argument(metavar="STEP.ARTIFACT", help="`train.model`, `tune/3.model`, `train.logs`.")],
    destination: Annotated[str | None, typer.Argument(metavar="DEST", help="Where to; `-` is standard output.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Fetch an artifact, verified by its digest; a directory is unpacked."""
    from mlworkflow.cli import render
    from mlworkflow.cli.artifacts import find
    from mlworkflow.cli.download import download as fetch

    async def get_it(runs: Runs) -> Any:
        found = await runs.get(name)
        wanted = await find(runs, found, artifact)
        return wanted, await fetch(wanted, runs.artifact(found, wanted.digest), destination)

    wanted, path = _ask(place, get_it)
    if path is not None:
        plain = {**wanted.plain(), "path": str(path)}
        _show(output, plain, lambda: f"{path} ({wanted.type}, {render.size(wanted.size)}, verified)")


@app.command()
@at_a_place("everywhere", "operator_namespace")
def delete(
    place: Place,
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Runs.")],
    output: Output = Format.TABLE,
) -> None:
    """Delete runs; what still runs of a workflow is ended. Artifacts stay, other runs may share them."""
    from mlworkflow.cli import render

    async def delete_all(runs: Runs) -> list[Run]:
        found = [await runs.get(name) for name in names]
        for one in found:
            await runs.delete(one)
        return found

    deleted = _ask(place, delete_all)
    _show(output, [render.summary(one) for one in deleted], lambda: "\n".join(f"{one.id} deleted" for one in deleted))


def _change(place: Place, name: str, spec: dict[str, Any], word: str, output: Format) -> None:
    async def change(runs: Runs) -> Run:
        found = await runs.get(name)
        if not found.phase.is_finished or runs.is_local:
            await runs.change(found, spec)
        return found

    found = _ask(place, change)
    done = f"is over already: {found.phase}" if found.phase.is_finished else word
    _show(output, {"id": found.id, "result": done}, lambda: f"{found.id} {done}")


def _ask(place: Place, action: Callable[[Runs], Awaitable[T]]) -> T:
    async def asked() -> T:
        async with runs_at(place) as runs:
            return await action(runs)

    return _do(asked())


def _do(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _view(quiet: bool, output: Format) -> View:
    """How a run is shown while it runs; what a program reads from standard output stays apart from it."""
    from mlworkflow.cli import live

    return live.view(quiet=quiet, stream=sys.stdout if output is Format.TABLE else sys.stderr)


def _show(output: Format, value: Any, text: Callable[[], str]) -> None:
    print(text() if output is Format.TABLE else document(value, output))


def _exit_as(*runs: Run) -> None:
    if not all(run.phase == "Succeeded" for run in runs):
        raise typer.Exit(1)

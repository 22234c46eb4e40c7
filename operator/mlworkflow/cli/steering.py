"""Commands that change what becomes of a run. They import what they need when they are called."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlworkflow.cli import completing
from mlworkflow.cli.answers import ask, do, exit_as, show, view
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import Name, Output, Quiet, Wait, at_a_place
from mlworkflow.runs.places import Place

if TYPE_CHECKING:
    from mlworkflow.core.kinds.approve import Question
    from mlworkflow.runs.run import Run, Runs


@at_a_place("everywhere", "operator_namespace")
def stop(place: Place, name: Name, output: Output = Format.TABLE) -> None:
    """Stop a workflow: what runs is ended, and it ends as Cancelled."""
    _change(place, name, {"cancel": True}, "stopping", output)


@at_a_place("everywhere", "operator_namespace")
def suspend(place: Place, name: Name, output: Output = Format.TABLE) -> None:
    """Start no further steps of a workflow; what runs goes on."""
    _change(place, name, {"suspend": True}, "suspended", output)


@at_a_place("everywhere", "operator_namespace")
def resume(place: Place, name: Name, output: Output = Format.TABLE) -> None:
    """Let a suspended workflow go on."""
    _change(place, name, {"suspend": False}, "resumed", output)


@at_a_place("everywhere", "operator_namespace")
def approve(
    place: Place,
    name: Name,
    step: Annotated[
        str,
        typer.Argument(
            metavar="STEP",
            help="A step that waits: `ship`, or one of many: `ship/0`.",
            autocompletion=completing.waiting_steps,
        ),
    ],
    param: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--param",
            metavar="NAME=VALUE",
            help="What the step asks for; JSON if it parses.",
            autocompletion=completing.answers,
        ),
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Say no: the step fails.")] = False,
    comment: Annotated[str, typer.Option("-m", "--comment", metavar="WORDS", help="Why.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Answer a step that waits for approval, with a yes or, with --reject, a no."""
    from mlworkflow.runs import approvals

    async def look(runs: Runs) -> tuple[Run, approvals.Waiting, str]:
        found = await runs.get(name)
        return found, approvals.find(found, step), await runs.whoami()

    found, asked, by = ask(place, look)
    asking = _prompt if sys.stdin.isatty() else None
    decision = approvals.answer(asked, by, approved=not reject, comment=comment, given=param or [], ask=asking)
    ask(place, lambda runs: runs.change(found, approvals.patch(found, asked, decision)))
    word = "rejected" if reject else "approved"
    plain = {"id": found.id, "step": asked.task, "result": word, **decision}
    show(output, plain, lambda: f"{found.id}: {asked.task} {word} by {by}")


@at_a_place("everywhere", "operator_namespace")
def retry(
    place: Place,
    name: Name,
    step: Annotated[
        list[str] | None,
        typer.Option(
            "--step",
            metavar="STEP",
            help="Run this step again, and what depends on it; may be repeated.",
            autocompletion=completing.step_names,
        ),
    ] = None,
    file: Annotated[
        str | None, typer.Option("-f", "--file", metavar="FILE", help="Go on with the spec of this file.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--param",
            metavar="NAME=VALUE",
            help="Go on with another parameter.",
            autocompletion=completing.params,
        ),
    ] = None,
    wait: Wait = False,
    quiet: Quiet = False,
    output: Output = Format.TABLE,
) -> None:
    """Run again what has failed, has changed or is named; what has succeeded and is not concerned keeps its results.

    A run of this machine that nobody runs goes on here, as with `run`.
    """
    from mlworkflow.cli import live, render

    found, patch, is_ours = ask(place, lambda runs: _wanted(runs, name, step or [], file, param or []))
    if patch is None:
        words = "has succeeded, and nothing has changed: name what to run again with --step"
        show(output, {"id": found.id, "result": "unchanged"}, lambda: f"{found.id} {words}")
        return
    if is_ours:
        _go_on_here(place, found, patch, quiet, output)
        return

    async def change(runs: Runs) -> tuple[Run, str]:
        await runs.change(found, patch)
        if output is Format.TABLE:
            print(f"{found.id} goes on; watch it: mlwf watch {found.id}{runs.flags}")
        if wait:
            return await live.followed_again(
                runs, found.id, patch["rerun"]["id"], view(quiet, output, runs.flags)
            ), runs.flags
        return await runs.get(found.id), runs.flags

    now, flags = ask(place, change)
    if wait or output is not Format.TABLE:
        show(output, now.plain(), lambda: render.ending(now, flags, time.time()))
    if wait:
        exit_as(now)


async def _wanted(
    runs: Runs, name: str, steps: list[str], file: str | None, params: list[str]
) -> tuple[Run, dict[str, Any] | None, bool]:
    """The run, the patch that asks for what is wanted, and whether it is for this process to carry it out."""
    import secrets

    from mlworkflow.cli import sources
    from mlworkflow.runs import reruns
    from mlworkflow.runs.params import retyped

    found = await runs.get(name)
    for line in retyped(found.resource, params):
        print(line, file=sys.stderr)
    edited = sources.prepared_one(file, []) if file else None
    return (
        found,
        reruns.request(found, secrets.token_hex(8), steps=steps, edited=edited, params=params),
        await runs.is_idle(found),
    )


def _go_on_here(place: Place, found: Run, patch: dict[str, Any], quiet: bool, output: Format) -> None:
    from mlworkflow.cli import local_run, render

    home: Path = place.find_home(os.environ)
    ended, signal = do(local_run.go_on_locally(home, found.id, patch, view(quiet, output, place.flags(os.environ))))
    show(output, ended.plain(), lambda: render.ending(ended, place.flags(os.environ), time.time()))
    if signal and ended.phase != "Succeeded":
        raise typer.Exit(128 + signal)
    exit_as(ended)


def _prompt(name: str, question: Question) -> str | None:
    from mlworkflow.runs import approvals

    described = f" ({question.description})" if question.description else ""
    return str(typer.prompt(f"{name}{described}, {approvals.kind_of(question)}", err=True))


def _change(place: Place, name: str, spec: dict[str, Any], word: str, output: Format) -> None:
    async def change(runs: Runs) -> Run:
        found = await runs.get(name)
        if not found.phase.is_finished:
            await runs.change(found, spec)
        return found

    found = ask(place, change)
    done = f"is over already: {found.phase}" if found.phase.is_finished else word
    show(output, {"id": found.id, "result": done}, lambda: f"{found.id} {done}")

"""`mlwf why-miss`, and `--no-cache`: why a step ran although the same work may have been done before, and how to have it done anyway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlworkflow.cli import completing
from mlworkflow.cli.answers import ask, show
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import Name, Output, at_a_place
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.places import Place

if TYPE_CHECKING:
    from mlworkflow.runs.run import Run, Runs

NoCache = Annotated[bool, typer.Option("--no-cache", help="Run every step, whatever has been done before.")]


@at_a_place("everywhere")
def why_miss(
    place: Place,
    name: Name,
    step: Annotated[
        str,
        typer.Argument(
            metavar="STEP", help="A step, an item or a trial: `tune/3`.", autocompletion=completing.step_names
        ),
    ],
    output: Output = Format.TABLE,
) -> None:
    """Say why a step ran instead of taking an earlier result: the fields that differ from the last run of it."""

    async def look(runs: Runs) -> tuple[Run, Mapping[str, Any], Mapping[str, Any] | None]:
        found = await runs.get(name)
        task = found.task(step)
        return found, task, await runs.record(found, step, int(task.get("attempts") or 0) - 1)

    run, task, record = ask(place, look)
    if run.is_composed(step):
        raise RunsError(
            f"'{step}' runs nothing itself", "name one of the tasks that it is made of: mlwf get NAME --tasks"
        )
    if record is None:
        raise RunsError(f"{run.id}: '{step}' has not committed a result", f"it is {task.get('phase') or 'Pending'}")
    plain = {"step": step, "cachedFrom": record.get("cachedFrom", ""), "missed": record.get("missed", "")}
    show(output, plain, lambda: _words(step, plain))


def _words(step: str, found: Mapping[str, str]) -> str:
    if found["cachedFrom"]:
        return f"{step} did not run: its result is that of {found['cachedFrom']}"
    if found["missed"]:
        return f"{step} ran: {found['missed']}"
    return f"{step} ran: no earlier result was looked for (its cache is not enabled, or it was asked to run again)"

"""`mlwf gc`: what no run, no cache and no model refers to any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlworkflow.cli.answers import ask, show
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import Output, at_a_place
from mlworkflow.runs.errors import Usage
from mlworkflow.runs.places import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlworkflow.runs.run import Runs


@at_a_place("everywhere")
def gc(
    place: Place,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    grace: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How old garbage has to be, on this machine. [default: 24h]")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Remove artifacts that nothing refers to any more. In a cluster the operator does that by itself: only --dry-run is for you."""
    import re

    from mlworkflow.core.duration import PATTERN, seconds

    if grace is not None and not re.fullmatch(PATTERN, grace):
        raise Usage(f"--grace: '{grace}' is no duration", "write 30m, 24h or 7d")

    async def collect(runs: Runs) -> Mapping[str, Any]:
        return await runs.garbage(dry_run=dry_run, grace=None if grace is None else seconds(grace))

    report = ask(place, collect)
    show(output, report, lambda: _page(report))


def _page(report: Mapping[str, Any]) -> str:
    from mlworkflow.runs.text import size, table

    verb = "would be removed" if report["dryRun"] else "removed"
    kept = f"{report['keptObjects']} artifacts ({size(report['keptBytes'])}) stay"
    if not report["objects"] and not report["records"]:
        return f"nothing {'to be removed' if report['dryRun'] else 'removed'}; {kept}"
    rows = [
        [
            share["workflow"] or "-",
            share["uid"] or "-",
            share["why"],
            str(share["records"]),
            str(share["objects"]),
            size(share["bytes"]),
        ]
        for share in report["runs"]
    ]
    total = f"{report['objects']} artifacts ({size(report['bytes'])}) and {report['records']} records {verb}; {kept}"
    return f"{table(['WORKFLOW', 'RUN', 'WHY', 'RECORDS', 'ARTIFACTS', 'SIZE'], rows)}\n{total}"

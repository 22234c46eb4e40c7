"""`mlwf` put together: its commands by name, and its end.

Exit codes: 0; 1: it was tried and did not work, or a run did not succeed; 2: a wrong call; 128 + n: ended by signal n.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import typer

from mlworkflow.cli import (
    caching,
    datasets,
    errors,
    explain,
    file_commands,
    garbage,
    init,
    models,
    page,
    run_commands,
    steering,
    tracing,
    trust,
)

app = typer.Typer(
    name="mlwf",
    help="Machine-learning workflows, on this machine and in a cluster.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would take longer to import than everything else
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    init.init,
    explain.explain,
    explain.schema,
    file_commands.run,
    file_commands.lint,
    file_commands.submit,
):
    app.command()(command)
app.command("list")(run_commands.list_)
for command in (
    run_commands.get,
    run_commands.watch,
    run_commands.logs,
    steering.approve,
    steering.retry,
    steering.stop,
    steering.suspend,
    steering.resume,
    run_commands.artifacts,
    run_commands.download,
    tracing.lineage,
    tracing.diff,
    tracing.reproduce,
    caching.why_miss,
    trust.verify,
    trust.public_key,
    run_commands.delete,
    garbage.gc,
    page.ui,
):
    app.command()(command)
app.add_typer(datasets.app, name="dataset")
app.add_typer(models.app, name="models")


def run() -> NoReturn:
    """Carry out the command line; ends the process."""
    program = "kubectl mlwf" if Path(sys.argv[0]).name.startswith("kubectl-") else "mlwf"
    try:
        app(prog_name=program)
    except Exception as error:
        sys.exit(errors.report(error))
    sys.exit(0)

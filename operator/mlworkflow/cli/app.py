"""`mlwf` put together: its commands by name, and its end.

Exit codes: 0; 1: it was tried and did not work, or a run did not succeed; 2: a wrong call; 128 + n: ended by signal n.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from mlworkflow.cli import (
    caching,
    datasets,
    doctor,
    errors,
    explain,
    file_commands,
    garbage,
    init,
    models,
    page,
    run_commands,
    shell,
    steering,
    top,
    tracing,
    trust,
)
from mlworkflow.cli.manual.command import App

app = App(
    name="mlwf", help="Machine-learning workflows, on this machine and in a cluster.", pretty_exceptions_enable=False
)
_COMMANDS: tuple[Callable[..., None], ...] = (
    init.init,
    explain.explain,
    explain.schema,
    doctor.doctor,
    file_commands.run,
    file_commands.lint,
    file_commands.submit,
    run_commands.list_,
    run_commands.get,
    run_commands.watch,
    top.top,
    page.ui,
    run_commands.logs,
    run_commands.artifacts,
    run_commands.download,
    steering.approve,
    steering.retry,
    steering.stop,
    steering.suspend,
    steering.resume,
    run_commands.delete,
    tracing.lineage,
    tracing.diff,
    tracing.export,
    tracing.reproduce,
    caching.why_miss,
    trust.verify,
    trust.public_key,
    garbage.gc,
    shell.completion,
    shell.man,
)
"""Within their groups (`manual.pages`) they are told in this order."""
for command in _COMMANDS:
    app.command(command.__name__.strip("_").replace("_", "-"))(command)
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

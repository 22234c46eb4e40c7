"""`mlwf doctor`: is everything there that runs need?"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from mlworkflow.cli.answers import do, show
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import Output, at_a_place
from mlworkflow.runs.places import Place

if TYPE_CHECKING:
    from mlworkflow.runs.doctor.check import Check

_COLORS = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}


@at_a_place("everywhere")
def doctor(place: Place, output: Output = Format.TABLE) -> None:
    """Check this machine and the cluster, and say how to mend what is missing.

    Each line is ok, warn or fail, and where there is something to mend the command for it follows. Of this machine: Python, the packages, the folder of local runs. Of a
    cluster, where one is configured and --local is not given: whether it answers, the resource and its schema, the operator and its release, what you may do there,
    the gateway, the store, the namespace with its Pod security and quotas, the image of the steps. Nothing is changed. The exit code is 1 where something fails.
    """
    from mlworkflow.runs.doctor.check import has_failed

    found = do(_checks(place))
    show(output, [check.plain() for check in found], lambda: "\n".join(_lines(found)))
    if has_failed(found):
        raise typer.Exit(1)


async def _checks(place: Place) -> list[Check]:
    from mlworkflow.runs.doctor import machine
    from mlworkflow.runs.doctor.check import fail

    found = list(machine.checks(place.find_home(os.environ)))
    if place.is_local(os.environ):
        return found
    from mlworkflow.kube.client import KubeClient
    from mlworkflow.kube.config import ConfigError, load_config
    from mlworkflow.runs.cluster import PATIENCE
    from mlworkflow.runs.doctor.cluster import Patient
    from mlworkflow.runs.reader import Reader

    try:
        config = load_config(kubeconfig=place.kubeconfig, context=place.context)
    except ConfigError as error:
        return [
            *found,
            fail("cluster", str(error), "name a kubeconfig: --kubeconfig FILE, or look at this machine alone: --local"),
        ]
    async with KubeClient(config, backoff=PATIENCE, timeout=10.0) as client:
        namespace = place.namespace or config.namespace
        reader = Reader(client, namespace, place.operator_namespace)
        patient = Patient(client, namespace, place.operator_namespace, reader)
        return [*found, *[check async for check in patient.checks()]]


def _lines(checks: Sequence[Check]) -> Iterator[str]:
    width = max(len(check.name) for check in checks)
    for check in checks:
        level = f"{check.level!s:<6}"
        shown = typer.style(level, fg=_COLORS[str(check.level)]) if sys.stdout.isatty() else level
        yield f"{shown}{check.name:<{width}}  {check.message}"
        if check.fix:
            yield f"{'':<{width + 8}}-> {check.fix}"

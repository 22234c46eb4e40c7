"""Where a command looks for runs: this machine or a cluster. The rule, which docs/cli.md states too:

1. ``--local`` or ``--home``: this machine. ``--context``, ``--kubeconfig``, ``-n`` or ``-A``: a cluster.
2. else ``MLWF_LOCAL=1``: this machine.
3. else a cluster where one is configured ($KUBECONFIG, ~/.kube/config, or this is a Pod), else this machine.

`run` and `lint` are always local, `submit` never is.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow.runs.errors import NoSuchRun, Usage

if TYPE_CHECKING:
    from mlworkflow.runs.run import Runs


@dataclass(frozen=True, slots=True)
class Place:
    """What the options say."""

    local: bool = False
    home: Path | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    namespace: str | None = None
    everywhere: bool = False
    operator_namespace: str | None = None

    def is_local(self, environ: Mapping[str, str]) -> bool:
        """The rule. Raises Usage for options that contradict each other."""
        asks_for_cluster = bool(self.context or self.kubeconfig or self.namespace or self.everywhere)
        if self.local or self.home:
            if asks_for_cluster:
                raise Usage(
                    "--local and --home are for this machine, --context, --kubeconfig, -n and -A for a cluster",
                    "leave out the one or the other",
                )
            return True
        if asks_for_cluster:
            return False
        return environ.get("MLWF_LOCAL", "") not in ("", "0", "false") or not has_cluster(environ)

    def find_home(self, environ: Mapping[str, str]) -> Path:
        return self.home or Path(environ.get("MLWF_HOME") or ".mlworkflow")

    def flags(self, environ: Mapping[str, str]) -> str:
        """What a suggested command needs in order to find this place again."""
        words: list[str] = []
        if self.home:
            words += ["--home", str(self.home)]
        elif self.is_local(environ) and not Place().is_local(environ):
            words.append("--local")
        for option, value in (("--context", self.context), ("--kubeconfig", self.kubeconfig), ("-n", self.namespace)):
            words += [option, str(value)] if value else []
        return "".join(f" {shlex.quote(word)}" for word in words)


def has_cluster(environ: Mapping[str, str]) -> bool:
    """Whether there is anything to connect to; whether it works is another question."""
    named = [Path(name) for name in environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    if named:
        return any(path.is_file() for path in named)
    return (
        "KUBERNETES_SERVICE_HOST" in environ or (Path(environ.get("HOME", "~")).expanduser() / ".kube/config").is_file()
    )


@asynccontextmanager
async def runs_at(place: Place, environ: Mapping[str, str] = os.environ) -> AsyncIterator[Runs]:
    """The runs of a place, for one command."""
    if place.is_local(environ):
        from mlworkflow.local.home import Home
        from mlworkflow.runs.local import LocalRuns

        yield LocalRuns(Home(place.find_home(environ)), place.flags(environ))
        return
    from mlworkflow.runs.cluster import connected

    async with connected(place, place.flags(environ)) as runs:
        try:
            yield runs
        except NoSuchRun as error:
            raise NoSuchRun(str(error), _local_hint(place, error, environ)) from None


def _local_hint(place: Place, error: NoSuchRun, environ: Mapping[str, str]) -> str:
    """A run that is not in the cluster may be here."""
    if (place.find_home(environ) / "runs").is_dir():
        return "for a run of this machine add --local, or set MLWF_LOCAL=1"
    return error.hint

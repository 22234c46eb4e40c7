"""Where runs are: this machine or a cluster, by the same rule as on the command line (`runs.places`)."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from mlworkflow.runs.places import Place


class PlaceOptions(TypedDict, total=False):
    """As `--local`, `--home`, `--context`, `--kubeconfig` and `-n` are."""

    local: bool
    home: str | Path | None
    context: str | None
    kubeconfig: str | Path | None
    namespace: str | None


def place_of(options: PlaceOptions) -> Place:
    """The place that arguments name."""
    home, kubeconfig = options.get("home"), options.get("kubeconfig")
    return Place(
        local=options.get("local", False),
        home=Path(home) if home else None,
        context=options.get("context"),
        kubeconfig=Path(kubeconfig) if kubeconfig else None,
        namespace=options.get("namespace"),
    )

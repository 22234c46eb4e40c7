"""The options that many commands have in common."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from mlworkflow.cli import completing
from mlworkflow.cli.formats import Format
from mlworkflow.runs.places import Place

PLACES, ANSWERS = "Where it looks", "How it answers"
"""Titles of the options that many commands have, in their help."""

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A run: `digits`, or locally the second of it, `digits.2`.",
        autocompletion=completing.run_names,
    ),
]
File = Annotated[str, typer.Argument(metavar="FILE", help="A YAML file; `-` is standard input.")]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--param",
        metavar="NAME=VALUE",
        help="A parameter of the workflow; JSON if it parses, else text.",
        autocompletion=completing.params,
    ),
]
Output = Annotated[
    Format,
    typer.Option(
        "-o", "--output", metavar="table|json|yaml", help="How to answer.", show_default=True, rich_help_panel=ANSWERS
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Show nothing while it runs.", rich_help_panel=ANSWERS)]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait", help="Watch it until it has ended, and exit 1 unless it succeeded.", rich_help_panel=ANSWERS
    ),
]

_PLACE: dict[str, Any] = {
    "local": Annotated[bool, typer.Option("--local", help="Runs of this machine.", rich_help_panel=PLACES)],
    "home": Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The folder of local runs. [default: $MLWF_HOME or .mlworkflow]", rich_help_panel=PLACES
        ),
    ],
    "context": Annotated[
        str | None, typer.Option(metavar="NAME", help="A context of the kubeconfig.", rich_help_panel=PLACES)
    ],
    "kubeconfig": Annotated[
        Path | None, typer.Option(metavar="FILE", help="A kubeconfig. [default: as kubectl]", rich_help_panel=PLACES)
    ],
    "namespace": Annotated[
        str | None,
        typer.Option("-n", "--namespace", metavar="NAME", help="A namespace of the cluster.", rich_help_panel=PLACES),
    ],
    "everywhere": Annotated[
        bool, typer.Option("-A", "--all-namespaces", help="All namespaces.", rich_help_panel=PLACES)
    ],
    "operator_namespace": Annotated[
        str | None,
        typer.Option(
            envvar="MLWF_OPERATOR_NAMESPACE",
            metavar="NAME",
            help="Where the operator is. [default: found by its labels]",
            rich_help_panel=PLACES,
        ),
    ],
}
_DEFAULTS = {field.name: field.default for field in fields(Place)}


def at_a_place(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a `Place` save those left out; it takes them as its argument `place`."""
    options = {name: option for name, option in _PLACE.items() if name not in left_out}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_place(**given: Any) -> None:
            command(place=Place(**{name: given.pop(name) for name in options}), **given)

        own = [
            parameter
            for name, parameter in inspect.signature(command, eval_str=True).parameters.items()
            if name != "place"
        ]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=option)
            for name, option in options.items()
        ]
        parameters = [*own, *added]
        with_place.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_place.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return with_place

    return decorate

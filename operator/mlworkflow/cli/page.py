"""`mlwf ui`: the page in a browser."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from mlworkflow.cli.answers import do
from mlworkflow.cli.options import at_a_place
from mlworkflow.runs.errors import Usage
from mlworkflow.runs.places import Place


@at_a_place("everywhere")
def ui(
    place: Place,
    port: Annotated[
        int, typer.Option(metavar="N", help="The port on this machine; 0: any that is free.", min=0, max=65535)
    ] = 0,
    browser: Annotated[bool, typer.Option(help="Open it in a browser.")] = True,
) -> None:
    """Look at runs in a browser, and steer them: runs of this machine, or of a cluster with your own rights. Ends with Ctrl-C."""
    try:
        from mlworkflow.ui.serve import serve
    except ModuleNotFoundError as error:
        raise Usage(f"the page needs {error.name}, which is not installed", "pip install 'mlworkflow[ui]'") from None
    from mlworkflow.ui.static import NOT_BUILT, is_built

    if not is_built():
        print(NOT_BUILT.strip(), file=sys.stderr)
    do(serve(place, port=port, browser=browser and is_built(), say=_say, environ=os.environ))


def _say(address: str) -> None:
    print(f"{address}\nOnly who has this address can look. Ctrl-C ends it; runs go on.", flush=True)

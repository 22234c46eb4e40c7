"""`container`: any image, any command, any language."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from mlworkflow.core.kinds._kind import Kind
from mlworkflow.core.values import Fields


class Container(Fields, frozen=True):
    """Runs a command in an image of your own. The step contract says what it finds and what it leaves."""

    image: Annotated[
        str, Meta(description="The image. May be left out where `defaults.image` or the step's `image` names one.")
    ] = ""
    command: Annotated[
        list[str],
        Meta(
            description="What to run, not in a shell. The default is the image's entry point; a local run without an engine needs it."
        ),
    ] = []
    args: Annotated[list[str], Meta(description="Arguments after the command.")] = []
    working_dir: Annotated[str, Meta(description="Working directory.")] = ""
    agent: Annotated[
        bool,
        Meta(
            description="The image carries the agent (`pip install mlworkflow[agent]`): one container in the Pod instead of three. Needs `command`."
        ),
    ] = False


def _check(body: Container) -> list[tuple[str, str]]:
    if body.agent and not body.command:
        return [("command", "is needed where `agent` is true: the agent has to know what to run")]
    return []


_EXAMPLE = """\
name: count
inputs: {words: {from: collect.words}}
container:
  image: busybox:1.36
  command: [sh, -c, 'mkdir -p "$MLWF_OUT/params" && wc -w < "$MLWF_IN/words" > "$MLWF_OUT/params/total"']
outputs: {total: {type: integer}}
"""

KIND = Kind(
    name="container",
    order=90,
    summary="any container, any language",
    body=Container,
    text_fields=frozenset({"image", "command", "args", "workingDir"}),
    check=_check,
    example=_EXAMPLE,
)

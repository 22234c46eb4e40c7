"""`steps`: a group, which is a graph of its own inside a step."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from mlworkflow.core.kinds._kind import Kind
from mlworkflow.core.values import Fields, Json


class Steps(Fields, frozen=True):
    """A group of steps: with `when`, `forEach`, `retry` and `timeout` for all of them together, and outputs that it passes on from them.

    The steps see each other, and what is around the group; from outside only the group's outputs are seen. The group's `params` are among the
    `params` of its steps, and its Pod fields (`image`, `env`, `resources`, …) are their defaults. A group that is tried again runs all its steps again.
    """

    steps: Annotated[list[dict[str, Json]], Meta(min_length=1, description="Steps as in `spec.steps`, groups too.")]


_EXAMPLE = """\
name: folds
forEach: {range: 5}
steps:
  - name: split
    params: {fold: "${{ item }}"}
    container: {image: busybox:1.36, command: [sh, -c, 'echo "$MLWF_PARAM_FOLD" > "$MLWF_OUT/part"']}
    outputs: {part: {}}
  - name: count
    inputs: {part: {from: split.part}}
    container: {image: busybox:1.36, command: [sh, -c, 'mkdir -p "$MLWF_OUT/params" && wc -c < "$MLWF_IN/part" > "$MLWF_OUT/params/bytes"']}
    outputs: {bytes: {type: integer}}
outputs:
  part: {from: split.part}
  bytes: {value: "${{ steps.count.outputs.bytes }}"}
"""

KIND = Kind(
    name="steps",
    order=85,
    summary="a group of steps, a graph of its own",
    body=Steps,
    is_list=True,
    has_pod=False,
    example=_EXAMPLE,
)

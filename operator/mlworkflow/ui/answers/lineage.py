"""Where an artifact came from, and who has used it."""

from __future__ import annotations

from typing import Annotated, Literal

from mlworkflow.ui.answers.base import Answer, Params


class LineageArtifact(Answer, frozen=True):
    """An artifact in a lineage."""

    digest: str
    name: Annotated[str, "`train.model`, as far as a step has named it."]
    size: int | None
    type: str
    is_outside: Annotated[bool, "No step made it: it came from elsewhere."]


class LineageStep(Answer, frozen=True):
    """An attempt in a lineage."""

    id: Annotated[str, "`<uid>/<task>/<attempt>`."]
    run: str
    uid: str
    task: str
    attempt: int
    kind: str
    image: str
    code: str
    params: Params
    parameters: Params
    metrics: dict[str, float]
    cached_from: str


class Arrow(Answer, frozen=True):
    """From one to the other: ids of steps or digests of artifacts, in the direction of the data."""

    source: str
    target: str
    kind: Annotated[Literal["made", "used", "part", "cached"], "part: a task that the other is made of; cached: whose result it took."]  # fmt: skip
    name: Annotated[str, "Of the output or the input."]


class Lineage(Answer, frozen=True):
    """Where an artifact comes from, and what was made with it."""

    digest: str
    artifacts: list[LineageArtifact]
    steps: list[LineageStep]
    arrows: list[Arrow]
    left_out: Annotated[int, "Steps beyond the 500 nearest."] = 0

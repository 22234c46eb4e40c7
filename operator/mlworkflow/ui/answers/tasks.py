"""Tasks: in lists, on the time line, and one of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mlworkflow.ui.answers.base import Answer, Json, Params, TaskPhase, Time
from mlworkflow.ui.answers.pods import Pod


class TaskRow(Answer, frozen=True):
    """A task in a list."""

    task: str
    node: str
    phase: TaskPhase
    reason: str
    message: Annotated[str, "At most 300 characters."]
    attempts: int
    started: Time
    finished: Time
    cached: bool
    is_composed: Annotated[bool, "It runs nothing itself: `below` has its parts."]
    progress: Annotated[str, "Of what is made of others: ended / known."]
    params: Annotated[Params, "Of a trial: its parameters."]
    value: Annotated[float | None, "Of a trial: the number that decides."]


class TasksPage(Answer, frozen=True):
    """Tasks, a page of them, in the order of the workflow."""

    rows: list[TaskRow]
    next: str
    total: Annotated[int, "Tasks that fit."]
    phases: Annotated[dict[str, int], "By phase, whatever phase is asked for."]
    unlisted: Annotated[int, "Tasks that have succeeded and that the status does not list any more: counted in `total` and `phases`, not among the rows."]  # fmt: skip


class Timeline(Answer, frozen=True):
    """Every task that has started, as columns of the same length, by start."""

    tasks: list[str]
    nodes: Annotated[list[int], "Indices into `node_names`."]
    node_names: list[str]
    phases: Annotated[list[int], "Indices into `phase_names`."]
    phase_names: list[str]
    started: Annotated[list[int], "Milliseconds after `zero`."]
    finished: Annotated[list[int | None], "Milliseconds after `zero`; null: it runs."]
    cached: Annotated[list[int], "1 or 0."]
    zero: Annotated[int, "The start of the run."]
    now: Annotated[int, "The server's clock."]


class ArtifactLink(Answer, frozen=True):
    """An artifact as an input or output of a task."""

    name: str
    digest: Annotated[str, "`sha256:…`; empty: not there (yet)."]
    size: int | None
    type: Annotated[str, "file, directory or collection; empty: not known."]
    sources: Annotated[list[str], "Of an input: the outputs it is taken from, `prep.train`."] = []
    keep: Annotated[str, "Of an output: how long after its step it is removed; empty: kept as the run is."] = ""


class Question(Answer, frozen=True):
    """What a person is asked for."""

    name: str
    type: Literal["string", "number", "integer", "boolean", "json"]
    description: str
    default: Json
    has_default: Annotated[bool, "Else it has to be given."]
    enum: Annotated[list[Any], "The only values that are taken; empty: any."]


class Approval(Answer, frozen=True):
    """A decision that a task waits for."""

    message: str
    questions: list[Question]


class TaskAnswer(Answer, frozen=True):
    """One attempt of a task, and the task."""

    row: TaskRow
    message: Annotated[str, "The whole of it, with the last lines of the log of what failed."]
    attempt: Annotated[int, "Which attempt this is of; -1: none has started."]
    attempts: Annotated[list[int], "Those there are, from 0."]
    kind: str
    params: Annotated[Params, "What it ran with; before that what the spec says, with its expressions."]
    spec: Annotated[Json, "The step as written."]
    inputs: list[ArtifactLink]
    outputs: list[ArtifactLink]
    parameters: Annotated[Params, "Output parameters."]
    metrics: Annotated[dict[str, float], "The last value of each."]
    series: Annotated[list[str], "Metrics that /run/metrics has more than one value of."]
    logs: Annotated[ArtifactLink | None, "The log as an artifact, once it is kept."]
    exit_code: int | None
    image: str
    image_digest: str
    code: Annotated[str, "A mark of the code and libraries that it ran with."]
    started: Annotated[Time, "Of this attempt."]
    finished: Time
    cached_from: Annotated[str, "`<uid>/<task>/<attempt>` whose result it took; empty: it ran."]
    cached_run: Annotated[str, "What that run is called, where it is known."]
    missed: Annotated[str, "Why no earlier result was taken; empty: none was looked for."]
    waits_for: Annotated[list[str], "Tasks that have to end before it can start."]
    approval: Approval | None
    decision: Annotated[Json, "What was decided: approved, by, comment, inputs; null: nothing yet."]
    pod: Annotated[Pod | None, "null locally, and for what has none."]
    report: Annotated[ArtifactLink | None, "An output to be shown as a page, if there is one (`report`)."]

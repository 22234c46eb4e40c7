"""The steps of a workflow as they are drawn, and how they stand."""

from __future__ import annotations

from typing import Annotated, Literal

from mlworkflow.ui.answers.base import Answer, TaskPhase, Time


class Node(Answer, frozen=True):
    """A step at its place: what never changes of it while the spec stays the same."""

    id: Annotated[str, "Its place: `train`, `folds.prep`."]
    name: Annotated[str, "The step's name."]
    parent: Annotated[str, "The node that it is inside of: a group, or a search whose trials are groups. Empty: none."]
    kind: Annotated[str, "train, tune, container, steps, …"]
    role: Annotated[Literal["step", "fan", "search", "group", "approval", "fold"], "fan: forEach; search: tune; fold: `stands` alike steps of a large workflow that are shown as one."]  # fmt: skip
    stands: Annotated[int, "How many steps of the spec it stands for; 1, but for a fold."] = 1
    has_inner: Annotated[bool, "Others have it as their parent."] = False
    at: Annotated[str, "When it runs: empty, or for the end of the workflow: always, succeeded, failed."] = ""
    when: Annotated[str, "Its condition, as written."] = ""


class Edge(Answer, frozen=True):
    """What a node waits for."""

    source: Annotated[str, "A node's id."]
    target: Annotated[str, "A node's id."]
    kind: Annotated[Literal["data", "value", "order"], "data: artifacts; value: expressions; order: `after`."]
    artifacts: Annotated[list[str], "What goes along: names of the source's outputs; of `value` those of its output parameters."] = []  # fmt: skip


class Graph(Answer, frozen=True):
    """The steps and what they wait for."""

    nodes: Annotated[list[Node], "Topologically ordered; a parent comes before what is in it."]
    edges: list[Edge]
    left_out: Annotated[int, "Steps beyond the first 5,000 nodes, which are not drawn."] = 0


class NodeState(Answer, frozen=True):
    """How a node stands."""

    id: str
    phase: TaskPhase
    reason: Annotated[str, "One word: OOMKilled, GateFailed, …"] = ""
    message: Annotated[str, "At most 300 characters; the whole is in TaskAnswer."] = ""
    started: Time = None
    finished: Time = None
    attempts: int = 0
    cached: bool = False
    waits: Annotated[bool, "It waits for a person's decision (or something at its place does)."] = False
    counts: Annotated[dict[str, int], "Of a node that stands for many tasks: how many are in each phase. Empty for a single task."] = {}  # fmt: skip
    known: Annotated[int, "Of those: how many there are to be, as far as is known."] = 0

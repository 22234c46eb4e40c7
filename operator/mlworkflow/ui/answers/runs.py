"""Runs: in the list, and one of them."""

from __future__ import annotations

from typing import Annotated

from mlworkflow.ui.answers.base import Answer, Json, Params, Problem, RunPhase, Time, Verb
from mlworkflow.ui.answers.graph import Graph, NodeState
from mlworkflow.ui.answers.tasks import TaskRow


class RunRow(Answer, frozen=True):
    """A run in the list."""

    namespace: str
    id: Annotated[str, "What it is called: `digits`, locally `digits.2`."]
    uid: str
    phase: RunPhase
    progress: Annotated[str, "Finished steps / all steps."]
    message: Annotated[str, "The first cause of a failure; or what it waits for. At most 300 characters."]
    created: Time
    started: Time
    finished: Time
    waiting: Annotated[int, "How many steps wait for a person's decision."]
    params: Annotated[Params, "The workflow's own parameters; long ones are cut short."]
    is_archived: Annotated[bool, "It was deleted: what is kept of it can be looked at."] = False


class RunsPage(Answer, frozen=True):
    """Runs, a page of them."""

    rows: list[RunRow]
    next: Annotated[str, "The cursor of the next page; empty: there is none."]
    total: Annotated[int, "Runs that fit the namespace, the phase and the text."]
    phases: Annotated[dict[str, int], "Runs by phase that fit the namespace and the text, whatever phase is asked for."]
    namespaces: Annotated[list[str], "Namespaces that have runs, of those that can be read."]
    is_loading: Annotated[bool, "The index is not complete yet."]
    problems: Annotated[list[Problem], "Why some of it cannot be seen: no rights in a namespace, no answer."] = []


class RunState(Answer, frozen=True):
    """What changes of a run. As an event `nodes` are those only that changed."""

    phase: RunPhase
    progress: str
    message: str
    started: Time
    finished: Time
    generation: Annotated[int, "Changes when the spec does: get RunAnswer again."]
    nodes: list[NodeState]
    waiting: Annotated[list[str], "Tasks that wait for a decision, 20 at most."]
    may: Annotated[list[Verb], "What makes sense to ask of it now, and the user has the right to."]
    revision: Annotated[int, "Counts changes of the tasks: pages of tasks that are shown may be got again when it grows."]  # fmt: skip


class RunAnswer(Answer, frozen=True):
    """One run."""

    row: RunRow
    state: RunState
    graph: Graph
    params: Params
    spec: Annotated[Json, "As it is in the resource."]
    yaml: Annotated[str, "The workflow as YAML, without status and what the server added: to be read, copied, submitted again. Empty for one of more than 500 steps: GET /run/yaml."]  # fmt: skip
    labels: dict[str, str]
    annotations: dict[str, str]
    problems: Annotated[list[Problem], "Why the spec is not sound, or the graph cannot be drawn."]
    failures: Annotated[list[TaskRow], "What has failed itself, 20 at most, the first first."]

"""The graph of a workflow as it is drawn: every step once at its place, whatever there is of it, and of a large one alike steps as one. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from mlworkflow.core.errors import SpecError
from mlworkflow.core.graph import Need, Reference, Scope, Steps, nested, references_of
from mlworkflow.core.plan import Plan
from mlworkflow.core.step import Step
from mlworkflow.ui.answers import Edge, Graph, Node, Problem

MOST = 5000
"""Nodes that are drawn."""
FOLDED_FROM = 60
"""Steps of a scope from which on alike ones are shown as one."""
ALIKE = 5
"""Alike steps that are worth to be shown as one."""
_RANK = {"data": 2, "value": 1, "order": 0}
EdgeKind = Literal["data", "value", "order"]


@dataclass(frozen=True, slots=True)
class Drawing:
    """`at` says which node shows a place (``folds.prep``), where another one does; `plan` is None for a spec that is not sound."""

    graph: Graph
    at: Mapping[str, str]
    plan: Plan | None
    problems: tuple[Problem, ...] = ()

    def node(self, place: str) -> str:
        """The node that shows a place."""
        return self.at.get(place, place)


def drawing(resource: Mapping[str, Any]) -> Drawing:
    """The drawing of a resource; of one that is not sound, the steps that it names, and why."""
    try:
        plan = Plan.of(resource)
    except SpecError as error:
        problems = tuple(Problem(status=422, message=str(problem)) for problem in error.problems)
        return Drawing(Graph(nodes=_named(resource), edges=[]), {}, None, problems)
    return drawn(plan)


def drawn(plan: Plan) -> Drawing:
    workflow = plan.workflow
    found = _Found()
    _scope(found, workflow.steps, plan.graph.main, {}, "", {})
    _scope(found, workflow.on_exit, plan.graph.exit, workflow.steps, "", workflow.exit_lists)
    at = _folds(found)
    nodes, edges = _shown(found, at)
    kept = {node.id for node in nodes[:MOST]}
    left_out = sum(node.stands for node in nodes[MOST:])
    edges = [edge for edge in edges if edge.source in kept and edge.target in kept]
    return Drawing(Graph(nodes=nodes[:MOST], edges=edges, left_out=left_out), at, plan)


@dataclass(slots=True)
class _Found:
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str], tuple[EdgeKind, dict[str, None]]] = field(default_factory=dict)

    def connect(self, source: str, target: str, reference: Reference) -> None:
        kind: EdgeKind = "data" if reference.is_artifact else "order" if reference.need is Need.ORDER else "value"
        before = self.edges.get((source, target))
        if before is None or _RANK[kind] > _RANK[before[0]]:
            before = self.edges[source, target] = (kind, {})
        if before[0] == kind and reference.output:
            before[1][reference.output] = None


def _scope(found: _Found, steps: Steps, scope: Scope, around: Steps, above: str, exits: Mapping[str, str]) -> None:
    visible = nested(steps, around) if around else steps
    for name in scope.order:
        step, id_ = steps[name], f"{above}{name}"
        inner = (step.trial or step).steps
        found.nodes[id_] = _node(step, id_, above.removesuffix("."), exits.get(name, ""))
        for reference in references_of(step, visible):
            if reference.step in steps:
                found.connect(f"{above}{reference.step}", id_, reference)
            elif not above and reference.step in around:  # a step for the end, of one of the workflow's own
                found.connect(reference.step, id_, reference)
        if inner and name in scope.inner:
            _scope(found, inner, scope.inner[name], visible, f"{id_}.", {})


def _node(step: Step, id_: str, parent: str, at: str) -> Node:
    role = "step"
    if step.for_each is not None:
        role = "fan"
    elif step.trial is not None:
        role = "search"
    elif step.steps:
        role = "group"
    elif step.kind.name == "approve":
        role = "approval"
    inner = bool((step.trial or step).steps)
    return Node(
        id=id_, name=step.name, parent=parent, kind=step.kind.name, role=cast("Any", role), has_inner=inner, at=at, when=step.when
    )  # fmt: skip


def _folds(found: _Found) -> dict[str, str]:
    """Which nodes are shown by another: of a scope with many steps, those that come from the same and lead to the same."""
    before, after = defaultdict(set), defaultdict(set)
    for source, target in found.edges:
        before[target].add(source)
        after[source].add(target)
    scopes: dict[str, list[Node]] = defaultdict(list)
    for node in found.nodes.values():
        scopes[node.parent].append(node)
    at: dict[str, str] = {}
    for nodes in scopes.values():
        if len(nodes) < FOLDED_FROM:
            continue
        alike: dict[Any, list[Node]] = defaultdict(list)
        for node in nodes:
            if node.role == "step":
                alike[node.kind, node.at, frozenset(before[node.id]), frozenset(after[node.id])].append(node)
        at |= {node.id: same[0].id for same in alike.values() if len(same) >= ALIKE for node in same}
    return at


def _shown(found: _Found, at: Mapping[str, str]) -> tuple[list[Node], list[Edge]]:
    stands: dict[str, int] = defaultdict(int)
    for id_ in found.nodes:
        stands[at.get(id_, id_)] += 1
    nodes = [_folded(node, stands[id_]) if id_ in at else node for id_, node in found.nodes.items() if id_ in stands]
    edges: dict[tuple[str, str], Edge] = {}
    for (source, target), (kind, outputs) in found.edges.items():
        ends = at.get(source, source), at.get(target, target)
        edges.setdefault(ends, Edge(source=ends[0], target=ends[1], kind=kind, artifacts=list(outputs)))
    return nodes, list(edges.values())


def _folded(node: Node, stands: int) -> Node:
    return Node(
        id=node.id, name=node.name, parent=node.parent, kind=node.kind, role="fold", stands=stands, at=node.at, when=node.when
    )  # fmt: skip


def _named(resource: Mapping[str, Any]) -> list[Node]:
    return [
        Node(id=name, name=name, parent="", kind=kind, role="step")
        for name, kind in _steps_named((resource.get("spec") or {}).get("steps"))
    ][:MOST]


def _steps_named(steps: Any) -> Iterator[tuple[str, str]]:
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, Mapping) and isinstance(step.get("name"), str):
            yield step["name"], ""

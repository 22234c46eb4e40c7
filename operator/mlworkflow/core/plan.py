"""A workflow that is sound, with its graph and the places of its tasks: what `decide` goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlworkflow.core import validate
from mlworkflow.core.graph import Graph
from mlworkflow.core.model import Workflow
from mlworkflow.core.nodes import Nodes, shares_pods


@dataclass(frozen=True, slots=True)
class Plan:
    """One generation of a resource, ready to run. `has_riders` says that a Pod may have several attempts."""

    workflow: Workflow
    graph: Graph
    nodes: Nodes
    has_riders: bool = False

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> Plan:
        """The plan of a resource. Raises SpecError with every problem."""
        workflow = Workflow.parse(resource)
        graph = validate.check(workflow)
        steps = (inner for step in workflow.all_steps().values() for inner in step.within())
        return cls(workflow, graph, Nodes(workflow, graph), any(map(shares_pods, steps)))

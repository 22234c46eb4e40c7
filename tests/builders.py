"""Fluent builders of what tests need: ``a_workflow("w").step("prep", outputs="data").step("train", inputs="prep.data").parsed()``.

A builder is a value: every call gives a new one. Keyword arguments of a step are the fields of the resource (``after``, ``when``, ``retry``,
…), with a short form for the two that appear everywhere: `inputs` ``"prep.data"`` or ``{"train": "prep.data"}``, and `outputs`
``"model acc:number"`` (a colon gives the type, a question mark makes it optional).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from mlworkflow.core import orders
from mlworkflow.core.actions import Order
from mlworkflow.core.model import Workflow
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Task
from mlworkflow.core.values import ArtifactRef
from mlworkflow.core.view import View
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import AttemptKey, record_key
from mlworkflow.store.records import Record, encode

Resource: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class WorkflowBuilder:
    """A resource in the making."""

    name: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = ()
    metadata: Mapping[str, Any] = field(
        default_factory=lambda: {"uid": "uid-1", "namespace": "default", "generation": 1}
    )

    def having(self, **fields: Any) -> WorkflowBuilder:
        """Fields of `spec`: ``params``, ``parallelism``, ``timeout``, ``suspend``, ``cancel``, ``defaults``."""
        return replace(self, spec={**self.spec, **fields})

    def param(self, name: str, value: Any) -> WorkflowBuilder:
        return self.having(params={**self.spec.get("params", {}), name: value})

    def meta(self, **fields: Any) -> WorkflowBuilder:
        return replace(self, metadata={**self.metadata, **fields})

    def step(
        self,
        name: str,
        command: Sequence[str] = ("run",),
        *,
        inputs: str | Mapping[str, Any] = "",
        outputs: str | Mapping[str, Any] = "",
        **fields: Any,
    ) -> WorkflowBuilder:
        """A container step."""
        return self.kind(
            name, "container", {"image": "image", "command": list(command)}, inputs=inputs, outputs=outputs, **fields
        )

    def kind(
        self,
        name: str,
        kind: str,
        body: Mapping[str, Any],
        *,
        inputs: str | Mapping[str, Any] = "",
        outputs: str | Mapping[str, Any] = "",
        **fields: Any,
    ) -> WorkflowBuilder:
        """A step of any kind."""
        raw: Resource = {"name": name, kind: deepcopy(dict(body)), **fields}
        if inputs:
            raw["inputs"] = _inputs(inputs)
        if outputs:
            raw["outputs"] = _outputs(outputs)
        return self.raw(raw)

    def group(
        self, name: str, steps: WorkflowBuilder, outputs: Mapping[str, Any] | None = None, **fields: Any
    ) -> WorkflowBuilder:
        """A group of the steps of another builder; an output is ``step.artifact``, or ``${{ … }}`` for a parameter."""
        passed = {
            key: {"value" if isinstance(source, str) and "{{" in source else "from": source}
            for key, source in (outputs or {}).items()
        }
        own = {"outputs": passed} if passed else {}
        return self.raw({"name": name, "steps": deepcopy([dict(step) for step in steps.steps]), **own, **fields})

    def tune(
        self,
        name: str,
        space: Mapping[str, Any],
        *,
        metric: str = "acc",
        goal: str = "maximize",
        trials: Mapping[str, Any] | None = None,
        algorithm: Mapping[str, Any] | None = None,
        trial: Mapping[str, Any] | None = None,
        trial_outputs: str = "acc:number model",
        inputs: str | Mapping[str, Any] = "",
        **fields: Any,
    ) -> WorkflowBuilder:
        """A tune step; a sequence in `space` is a choice. `trial` are the fields of its trial's step, a container unless it says otherwise."""
        body: Resource = {
            "metric": {"name": metric, "goal": goal},
            "space": {
                key: value if isinstance(value, Mapping) else {"choice": list(value)} for key, value in space.items()
            },
            "step": dict(trial or {"container": {"image": "image", "command": ["trial"]}}),
        }
        if trial_outputs and "outputs" not in body["step"]:
            body["step"]["outputs"] = _outputs(trial_outputs)
        if trials is not None:
            body["trials"] = dict(trials)
        if algorithm is not None:
            body["algorithm"] = dict(algorithm)
        return self.kind(name, "tune", body, inputs=inputs, **fields)

    def raw(self, step: Mapping[str, Any]) -> WorkflowBuilder:
        """A step as it is, right or wrong."""
        return replace(self, steps=(*self.steps, step))

    def resource(self) -> Resource:
        """The resource as the API has it."""
        return {
            "apiVersion": "mlworkflow.io/v1alpha1",
            "kind": "MLWorkflow",
            "metadata": {"name": self.name, **self.metadata},
            "spec": deepcopy({**self.spec, "steps": [dict(step) for step in self.steps]}),
        }

    def parsed(self) -> Workflow:
        return Workflow.parse(self.resource())

    def plan(self) -> Plan:
        """The workflow with its graph. Raises SpecError."""
        return Plan.of(self.resource())


def order_of(builder: WorkflowBuilder, task: str, tasks: Mapping[str, Task] | None = None, attempt: int = 0) -> Order:
    """The order for an attempt, where the tasks stand as given."""
    plan = builder.plan()
    return orders.order(View(plan.workflow, plan.nodes, tasks or {}), plan.nodes[task], attempt)


def a_workflow(name: str = "w") -> WorkflowBuilder:
    return WorkflowBuilder(name)


def artifact(content: object, size: int = 1, type_: str = "file") -> ArtifactRef:
    """A reference to an artifact that is unlike any other."""
    return ArtifactRef(f"sha256:{content}", size, type_)


def _inputs(inputs: str | Mapping[str, Any]) -> Resource:
    if isinstance(inputs, str):
        return {source.partition(".")[2]: {"from": source} for source in inputs.split()}
    return {name: source if isinstance(source, Mapping) else {"from": source} for name, source in inputs.items()}


def _outputs(outputs: str | Mapping[str, Any]) -> Resource:
    if not isinstance(outputs, str):
        return dict(outputs)
    found: Resource = {}
    for text in outputs.split():
        name, _, type_ = text.rstrip("?").partition(":")
        found[name] = {**({"type": type_} if type_ else {}), **({"optional": True} if text.endswith("?") else {})}
    return found


def write_record(store: ArtifactStore, key: AttemptKey, record: Record) -> bool:
    """Puts a record where the engine does; False, with nothing changed, if the attempt has one already."""
    return store.write_bytes(record_key(*key), encode(record), if_absent=True)

"""The resource, parsed once at the edge: `Workflow.parse` is the only way from a dict to these values.

The schema is in `fields` and `kinds`. The body of a step's kind stays as written (its expressions are evaluated when the step starts) after it has been checked against its struct.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET

from mlworkflow.core import names
from mlworkflow.core.duration import seconds
from mlworkflow.core.errors import Problem, SpecError
from mlworkflow.core.fields import Lock
from mlworkflow.core.parsing import lock_problems, parse_locks, parse_steps, schema_problem
from mlworkflow.core.references import Expansion
from mlworkflow.core.rehearsals import Rehearsals
from mlworkflow.core.reports import Reports
from mlworkflow.core.spec_fields import Approval, OnExit, PodCleanup, Rerun, SpecFields, Ttl
from mlworkflow.core.step import Step
from mlworkflow.core.subject import Subject

EXITS = ("always", "succeeded", "failed")
"""The lists of `onExit`."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A parsed resource. Parsing checks each field by itself; `validate.check` checks how they fit together.

    `steps` begins with those that stand for references (`references`). `on_exit` are the steps for the end, and `exit_lists` says in which list of `onExit` each of them stands.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    params: Mapping[str, Any]
    steps: Mapping[str, Step]
    parallelism: int | None
    timeout: float | None
    suspend: bool
    cancel: bool
    fail_fast: bool = False
    on_exit: Mapping[str, Step] = field(default_factory=dict)
    exit_lists: Mapping[str, str] = field(default_factory=dict)
    exit_timeout: float = 1800.0
    priority: int = 0
    locks: tuple[Lock, ...] = ()
    approvals: Mapping[str, Approval] = field(default_factory=dict)
    rerun: Rerun | None = None
    ttl: Ttl | None = None
    pod_cleanup: PodCleanup = "Never"

    def subject(self, task: str = "") -> Subject:
        """What a line of the log about it, or about a task of it, is about."""
        return Subject(self.namespace, self.name, self.uid, task)

    @classmethod
    def parse(cls, resource: Mapping[str, Any]) -> Workflow:
        """The workflow of a resource (apiVersion, kind, metadata, spec). Raises SpecError with every problem found."""
        problems: list[Problem] = []
        metadata = resource.get("metadata") or {}
        name = str(metadata.get("name") or "")
        if resource.get("apiVersion") != names.API_VERSION or resource.get("kind") != names.KIND:
            problems.append(Problem("apiVersion", f"expected apiVersion {names.API_VERSION} and kind {names.KIND}"))
        if not name or len(name) > names.MAX_NAME:
            problems.append(
                Problem("metadata.name", f"must have 1 to {names.MAX_NAME} characters: it becomes a label of every Pod")
            )
        try:
            spec = msgspec.convert(resource.get("spec") or {}, SpecFields)
        except msgspec.ValidationError as error:
            raise SpecError([*problems, schema_problem(error, "spec")]) from None
        problems += lock_problems(spec.locks, "spec.locks")
        lists = {"spec.steps": spec.steps}
        if spec.on_exit is not UNSET:
            lists |= {f"spec.onExit.{when}": getattr(spec.on_exit, when) for when in EXITS}
        parsed: dict[str, dict[str, Step]] = {}
        for path, raws in lists.items():
            try:
                parsed[path] = parse_steps(raws, path, spec.defaults)
            except SpecError as error:
                problems.extend(error.problems)
        if problems:
            raise SpecError(problems)
        expansion = Expansion(spec.params, spec.defaults)
        parsed = {path: expansion.expand(steps, path) for path, steps in parsed.items()}
        expansion.check_names(name for steps in parsed.values() for step in steps.values() for name in _names(step))
        reports = Reports(spec.defaults)
        parsed = {path: reports.add(steps, path) for path, steps in parsed.items()}
        rehearsals = Rehearsals()
        parsed = {path: rehearsals.add(steps, path) for path, steps in parsed.items()}
        if problems := [*expansion.problems, *reports.problems, *rehearsals.problems]:
            raise SpecError(problems)
        exits = {when: parsed.get(f"spec.onExit.{when}", {}) for when in EXITS}
        return cls(
            name=name,
            namespace=str(metadata.get("namespace") or "default"),
            uid=str(metadata.get("uid") or ""),
            generation=int(metadata.get("generation") or 1),
            params=spec.params,
            steps={**expansion.steps, **parsed["spec.steps"]},
            parallelism=None if spec.parallelism is UNSET else spec.parallelism,
            timeout=None if spec.timeout is UNSET else seconds(spec.timeout),
            suspend=spec.suspend,
            cancel=spec.cancel,
            fail_fast=spec.fail_fast,
            on_exit={name: step for steps in exits.values() for name, step in steps.items()},
            exit_lists={name: when for when, steps in exits.items() for name in steps},
            exit_timeout=seconds((OnExit() if spec.on_exit is UNSET else spec.on_exit).timeout),
            priority=spec.priority,
            locks=parse_locks(spec.locks),
            approvals=spec.approvals,
            rerun=None if spec.rerun is UNSET else spec.rerun,
            ttl=Ttl.of(spec.ttl),
            pod_cleanup=spec.pod_cleanup,
        )

    def all_steps(self) -> Mapping[str, Step]:
        """The workflow's own steps, those for its end too, by name."""
        return {**self.steps, **self.on_exit} if self.on_exit else self.steps


def _names(step: Step) -> list[str]:
    return [inner.name for inner in step.within()]

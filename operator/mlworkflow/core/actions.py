"""What `decide` asks of a driver. Every action may be asked again and must then change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mlworkflow.core.fields import Output
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.observation import Values
from mlworkflow.core.step import Step
from mlworkflow.core.values import ArtifactRef


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt, ready to run: every expression evaluated, every input pinned to its digest.

    `literals` are the contents of inputs that no step has left, by digest: they are put into the store before the attempt starts.
    `fingerprint` tells what it runs from (`core.fingerprint`). `is_looked_up` says that an earlier result of the same work may be taken instead.
    `failures` and `losses` are what the attempts before it cost, for whoever finds the attempt and has not heard of them. `per_pod` says how many
    trials of its search may share a Pod.
    """

    workflow: str
    namespace: str
    uid: str
    step: Step
    task: str
    attempt: int
    spec: Mapping[str, Any]
    params: Mapping[str, Any]
    inputs: Mapping[str, ArtifactRef]
    outputs: Mapping[str, Output]
    image: str
    env: tuple[Mapping[str, Any], ...]
    resources: Mapping[str, Any]
    literals: Mapping[str, bytes] = field(default_factory=dict)
    fingerprint: str = ""
    is_looked_up: bool = False
    failures: int = 0
    losses: int = 0
    per_pod: int = 1

    @property
    def command(self) -> tuple[str, ...]:
        """What the agent runs; empty where the image's own entry point does."""
        return self.step.kind.command or (*self.spec.get("command", ()), *self.spec.get("args", ()))

    @property
    def has_agent(self) -> bool:
        """Whether the step's image carries the agent, so that one container does."""
        return bool(self.step.kind.command) or bool(self.spec.get("agent"))


@dataclass(frozen=True, slots=True)
class Start:
    """Start an attempt; where it exists already, adopt it."""

    order: Order


@dataclass(frozen=True, slots=True)
class Stop:
    """End an attempt: SIGTERM, grace period, SIGKILL. `grace` are the seconds between the two, where they are not the step's own."""

    task: str
    attempt: int
    handle: str
    grace: int | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """Find out about an attempt that ended without a word or vanished: look for its record, then for itself."""

    task: str
    attempt: int
    handle: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Commit a result that the engine itself worked out, of a task that has no attempt of its own.

    `files` and `collections` become artifacts, `reuse` are artifacts that exist. `inputs`, `params` and `fingerprint` say what it was worked out from.
    """

    step: Step
    task: str
    attempt: int
    parameters: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)
    collections: Mapping[str, bytes] = field(default_factory=dict)
    reuse: Mapping[str, ArtifactRef] = field(default_factory=dict)
    inputs: Mapping[str, ArtifactRef] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Commit what a named dataset or model is now, of a task that has no attempt of its own: `version` is a digest, of a model also an alias or a number,
    or empty for the newest. What is optional is committed as nothing where there is none such."""

    step: Step
    task: str
    attempt: int
    name: str
    version: str = ""
    is_optional: bool = False
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Promote:
    """Have an alias of a model mean the artifact of the input `model`, if it means what is expected, and commit that it does, or would. Of a task that has
    no attempt of its own."""

    step: Step
    task: str
    attempt: int
    name: str
    alias: str
    inputs: Mapping[str, ArtifactRef]
    expect: str = ""
    message: str = ""
    is_dry_run: bool = False
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a search is told of a trial: `values` of one that succeeded, none of one that failed or runs; and where there is a pruner, what it said on
    the way (whoever chooses the next trials is told the last of it), and whether it was pruned by that.
    """

    params: Mapping[str, Any]
    values: list[float] | None = None
    is_finished: bool = True
    is_pruned: bool = False
    curve: Values = ()


@dataclass(frozen=True, slots=True)
class Choose:
    """Choose the parameters of the next trials of a tune step, and write them down before any of them starts.

    `count` trials follow those of `told`, which has all before them in their order. `names` are those that constraints may take.
    """

    task: str
    count: int
    study: Tune
    names: Mapping[str, Any]
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Judge:
    """Decide whether trials that run go on, by what they have said since that was last decided.

    `told` has every trial. `asked` says which are asked for (trial → how many of its values have been judged), `attempts` which attempt of each.
    """

    task: str
    study: Tune
    told: tuple[Told, ...]
    asked: Mapping[int, int]
    attempts: Mapping[int, int]


Action: TypeAlias = Start | Stop | Probe | Publish | LookUp | Promote | Choose | Judge

"""What the engine needs to know of a kind of step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec import UNSET

from mlworkflow.core.values import Fields

Outputs: TypeAlias = Mapping[str, str]
"""Name → type: ``artifact``, ``file``, ``directory``, or a parameter's type (``number``, ``json``, …)."""


def _no_problems(body: Any) -> list[tuple[str, str]]:
    return []


def _no_misuse(step: Any, inputs: Mapping[str, Any], params: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return ()


def _no_variables(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return []


def _closed(body: Mapping[str, Any]) -> bool:
    return False


def _nothing(body: Any) -> frozenset[str]:
    return frozenset()


def _pinned(body: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of step.

    `outputs` are what every step of the kind leaves; `open_parameters` says that output parameters beyond them depend on the
    data, so that a reference to an unknown one is settled at run time. `inputs` must be given. `command` runs in the steps
    image (empty: the step brings its own). `takes_trial_params` names the body's field that a trial's parameters are merged into.
    `has_pod` is false of a kind that the engine itself carries out. `is_list` says that a step's field of this name is the body's only field itself.
    `text_fields` of the body are text whatever an expression in them gives.
    No expression is looked for in `literal_fields`.
    `absent` names the outputs that a step with a certain body does not leave.
    `is_cached` says that a result is taken from the cache unless a step says otherwise, `unpinned` names the field of an evaluated body (if any)
    that stands for data which the body does not pin down. `is_open` says that a step of a certain body may run more of what its image holds than the kind's own code.
    `variables`, by reference to Secrets and ConfigMaps, are what an evaluated body gives to the step's container of a Pod.
    `check` finds what the schema cannot say: (path below the body, message). `check_use` is given a step, its inputs and the parameters that are known: (path below the step, message).
    `example` is a short step in YAML for the reference page.
    """

    name: str
    order: int
    summary: str
    body: type[Fields]
    command: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: Outputs = field(default_factory=dict)
    optional_outputs: frozenset[str] = frozenset()
    absent: Callable[[Any], frozenset[str]] = _nothing
    open_parameters: bool = False
    has_pod: bool = True
    is_list: bool = False
    takes_trial_params: str = ""
    text_fields: frozenset[str] = frozenset()
    literal_fields: frozenset[str] = frozenset()
    is_cached: bool = False
    is_open: Callable[[Mapping[str, Any]], bool] = _closed
    unpinned: Callable[[Mapping[str, Any]], str] = _pinned
    variables: Callable[[Mapping[str, Any]], list[dict[str, Any]]] = _no_variables
    check: Callable[[Any], list[tuple[str, str]]] = _no_problems
    check_use: Callable[[Any, Mapping[str, Any], Mapping[str, Any]], Iterable[tuple[str, str]]] = _no_misuse
    example: str = ""


def built_in(name: str) -> tuple[str, ...]:
    """The command of a kind that the steps image carries."""
    return ("python", "-m", "mlworkflow_steps", name)


def body_of(kind: Kind, raw: Any) -> Any:
    """The body of a step as an object: what stands under the kind's name."""
    return {kind.name: raw or []} if kind.is_list else raw or {}


def exactly_one(value: Fields, path: str, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """The problem, if any, that not exactly one of `names` is given in `value`."""
    given = [name for name in names if getattr(value, name) is not UNSET]
    return (
        []
        if len(given) == 1
        else [
            (path, f"name exactly one of: {', '.join(names)}{'; this names ' + ' and '.join(given) if given else ''}")
        ]
    )

"""What a step takes: the output of another, or data that no step has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from mlworkflow.api.expressions import Expr, field
from mlworkflow.api.values import plain
from mlworkflow.core.errors import Problem, SpecError
from mlworkflow.core.origins import Origin

if TYPE_CHECKING:
    from mlworkflow.api.steps import Step


class Output(Expr):
    """An output of a step. As an input it is the artifact, anywhere else the expression that gives its value."""

    __slots__ = ("_name", "_step")

    def __init__(self, step: Step, name: str) -> None:
        super().__init__("", is_whole=True)
        self._step, self._name = step, name

    @property
    def cel(self) -> str:  # the step may still be renamed, or move
        return f"steps{field(self._step.name)}.outputs{field(self._name)}"

    @property
    def source(self) -> str:
        """As `from` names it: ``train.model``."""
        return f"{self._step.name}.{self._name}"

    @property
    def is_artifact(self) -> bool:
        """Whether it is one that the step declares, and no parameter."""
        return self._step.leaves_artifact(self._name)


class Reference:
    """Data that no step has left, found out once, when the run starts."""

    __slots__ = ("origin",)

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    def __repr__(self) -> str:
        return f"<{msgspec.to_builtins(self.origin)}>"


Source: TypeAlias = "Output | Reference | Sequence[Output] | Mapping[str, Any] | str"
"""What an input comes from; of several outputs the first that exists. A text is `step.output`, a map an input as the YAML has it."""


def http(url: str, *, sha256: str = "") -> Reference:
    """What an address gives; with `sha256` only these bytes."""
    return Reference(Origin(http=url, sha256=sha256 or UNSET))


def s3(
    key: str, *, endpoint: str = "", region: str = "", version: str = "", secret: str = "", sha256: str = ""
) -> Reference:
    """An object of an S3 store, `bucket/key`; `secret` names a Secret of the namespace with the keys for it."""
    return Reference(
        Origin(
            s3=key,
            endpoint=endpoint or UNSET,
            region=region or UNSET,
            version=version or UNSET,
            secret=secret or UNSET,
            sha256=sha256 or UNSET,
        )
    )


def optional(source: Source, *, default: Any = UNSET) -> Mapping[str, Any]:
    """An input that the step runs without where it does not exist, or takes `default` for."""
    return {**from_(source, "inputs"), **({"optional": True} if default is UNSET else {"default": default})}


def from_(source: Source, path: str) -> dict[str, Any]:
    """An input as the resource has it. Raises SpecError."""
    match source:
        case Output():
            return {"from": source.source}
        case Reference():
            return {"from": msgspec.to_builtins(source.origin)}
        case str():
            return {"from": source}
        case Mapping():
            return {str(name): plain(value, f"{path}.{name}") for name, value in source.items()}
        case Sequence() if all(isinstance(each, Output | str) for each in source):
            return {"from": [each if isinstance(each, str) else each.source for each in source]}
    words = "take the output of a step, or mlwf.dataset(…), mlwf.model(…), mlwf.http(…), mlwf.s3(…)"
    hint = "; data of this process are no input: add them once (mlwf dataset add NAME FILE)"
    raise SpecError([Problem(path, f"is a {type(source).__name__}: {words}{hint}")])


def is_source(value: Any) -> bool:
    """Whether it can only be an input, and no parameter."""
    if isinstance(value, Output):
        return value.is_artifact
    is_several = isinstance(value, list | tuple) and value and all(isinstance(each, Output) for each in value)
    return isinstance(value, Reference) or (bool(is_several) and all(each.is_artifact for each in value))


Unset: TypeAlias = UnsetType

"""The pruner of a `tune` step: which one, and what is wrong with its settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import exactly_one
from mlworkflow.core.kinds._pruners import (
    Hyperband,
    Median,
    Patience,
    Percentile,
    Pruning,
    SuccessiveHalving,
    Threshold,
    Wilcoxon,
)
from mlworkflow.core.values import Fields


class Wrapped(Fields, frozen=True):
    """Which trials are stopped: exactly one of these. They are Optuna's, and so are the names of their settings."""

    median: Annotated[Median | UnsetType, Meta(description="Worse than the median.")] = UNSET
    percentile: Annotated[Percentile | UnsetType, Meta(description="Not among the best percentage.")] = UNSET
    asha: Annotated[SuccessiveHalving | UnsetType, Meta(description="Successive halving.")] = UNSET
    hyperband: Annotated[Hyperband | UnsetType, Meta(description="Hyperband.")] = UNSET
    threshold: Annotated[Threshold | UnsetType, Meta(description="Out of bounds.")] = UNSET
    wilcoxon: Annotated[Wilcoxon | UnsetType, Meta(description="Worse than the best trial, by a test.")] = UNSET

    @property
    def named(self) -> tuple[str, Pruning] | None:
        """The pruner that is named, with its settings."""
        given = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return next(((name, settings) for name, settings in given if settings is not UNSET), None)


class Patient(Patience, frozen=True, rename={}):
    """Stops nothing as long as a trial has got better within the last steps. Optuna's `PatientPruner`."""

    wrapped_pruner: Annotated[
        Wrapped | UnsetType, Meta(description="What decides then. Default: the trial is stopped.")
    ] = UNSET


class Pruner(Wrapped, frozen=True):
    """Which trials are stopped: exactly one of these. They are Optuna's, and so are the names of their settings."""

    patient: Annotated[Patient | UnsetType, Meta(description="Not as long as there is progress.")] = UNSET


_BOUNDS: dict[str, tuple[float, float | None]] = {
    "percentile": (0, 100),
    "n_startup_trials": (0, None),
    "n_warmup_steps": (0, None),
    "interval_steps": (1, None),
    "n_min_trials": (1, None),
    "min_resource": (1, None),
    "max_resource": (1, None),
    "reduction_factor": (2, None),
    "min_early_stopping_rate": (0, None),
    "bootstrap_count": (0, None),
    "patience": (0, None),
    "min_delta": (0, None),
    "p_threshold": (0, 1),
    "n_startup_steps": (0, None),
}
"""Setting → the least and the most that Optuna takes; it would say so only when the first trial runs."""


def pruner_problems(pruner: Wrapped, path: str = "pruner") -> Iterator[tuple[str, str]]:
    """What the schema cannot say of a pruner, with the field below the kind's body."""
    yield from exactly_one(pruner, path, pruner.__struct_fields__)
    for name in pruner.__struct_fields__:
        settings = getattr(pruner, name)
        if isinstance(settings, Pruning):
            yield from _settings_problems(settings, f"{path}.{name}")


def _settings_problems(settings: Pruning, path: str) -> Iterator[tuple[str, str]]:
    given = {name: value for name, value in msgspec.structs.asdict(settings).items() if value is not UNSET}
    for name, value in given.items():
        if isinstance(value, Wrapped):
            yield from pruner_problems(value, f"{path}.{name}")
        elif _is_number(value) and name in _BOUNDS:
            least, most = _BOUNDS[name]
            if value < least or (most is not None and value > most):
                yield (
                    f"{path}.{name}",
                    f"is {f'at least {least}' if most is None else f'from {least} to {most}'}, not {value}",
                )
    automatic = {SuccessiveHalving: "min_resource", Hyperband: "max_resource"}.get(type(settings))
    if automatic and given.get("bootstrap_count") not in (None, 0) and given.get(automatic, "auto") == "auto":
        yield f"{path}.bootstrap_count", f"needs a number as {automatic}"
    low, high = ("lower", "upper") if isinstance(settings, Threshold) else ("min_resource", "max_resource")
    if isinstance(settings, Threshold) and not given.keys() & {low, high}:
        yield path, "name at least one of: lower, upper"
    if _is_number(given.get(low)) and _is_number(given.get(high)) and given[low] > given[high]:
        yield f"{path}.{low}", f"is {given[low]}, which is above {high}, {given[high]}"


def _is_number(value: Any) -> bool:
    """Not an expression, which is looked at again when it has been evaluated."""
    return isinstance(value, int | float)

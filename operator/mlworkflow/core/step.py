"""A step as a value. Groups and trials hold steps of their own; `parsing` makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from mlworkflow.core.duration import seconds
from mlworkflow.core.fields import Cache, Common, ForEach, Input, Lock, Output, Retry, Webhook
from mlworkflow.core.kinds import Kind


@dataclass(frozen=True, slots=True)
class Step:
    """A parsed step: `common` has the defaults in it, `body` is the kind's part as written, `outputs` all of them.

    `steps` are those of a group, `trial` is what a tune step tries, `raw` is the step as it was written. `stands_for`
    names the field of an input that a step stands for which nobody wrote (`references`).
    """

    name: str
    kind: Kind
    body: Mapping[str, Any]
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    params: Mapping[str, Any]
    after: tuple[str, ...]
    run_after: frozenset[str]
    when: str
    common: Common
    for_each: list[Any] | str | ForEach | None = None
    parallel: int | None = None
    max_failed: int | str = 0
    allow_failure: bool = False
    locks: tuple[Lock, ...] = ()
    on_success: Webhook | None = None
    on_failure: Webhook | None = None
    steps: Mapping[str, Step] = field(default_factory=dict)
    trial: Step | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)
    stands_for: str = ""

    @property
    def timeout(self) -> float | None:
        return None if self.common.timeout is UNSET else seconds(self.common.timeout)

    @property
    def attempt_timeout(self) -> float | None:
        return None if self.common.attempt_timeout is UNSET else seconds(self.common.attempt_timeout)

    @property
    def pending_timeout(self) -> float:
        return 600.0 if self.common.pending_timeout is UNSET else seconds(self.common.pending_timeout)

    @property
    def grace(self) -> int:
        """Seconds that an attempt has between being told to end and being ended."""
        given = self.common.termination_grace_period_seconds
        return 30 if given is UNSET else given

    @property
    def retry(self) -> Retry:
        return Retry(limit=0) if self.common.retry is UNSET else self.common.retry

    @property
    def cache(self) -> Cache:
        return Cache() if self.common.cache is UNSET else self.common.cache

    @property
    def is_cached(self) -> bool:
        """Whether an earlier result of the same work is taken."""
        enabled = self.cache.enabled
        return self.kind.is_cached if enabled is UNSET else enabled and self.kind.has_pod

    @property
    def is_group(self) -> bool:
        return bool(self.steps)

    def within(self) -> Iterator[Step]:
        """This step and every step in it."""
        yield self
        for inner in (*self.steps.values(), *([self.trial] if self.trial else [])):
            yield from inner.within()

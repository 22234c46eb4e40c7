"""`warmStart`: the trials of another search, found by the name of its run, among those that are there and in the archive. Synchronous: `engine` uses a thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlworkflow.core import paths
from mlworkflow.core.kinds.tune import Tune, WarmStart
from mlworkflow.core.state import value_named
from mlworkflow.core.study import misfit, values_of
from mlworkflow.store import archive
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import InvalidKey
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import Kept, Known, Prior, Record, load_run

LOOKED_AT = 20
"""Ended runs of one name that are looked through for the search, the newest first."""


class NoSearch(Exception):
    """There is nothing to begin with; the message names the field and says why."""


def run_of(wanted: WarmStart) -> str:
    """The name of the run."""
    return wanted.from_.rpartition(".")[0]


def recall(store: ArtifactStore, own: AttemptKey, study: Tune, runs: Sequence[str]) -> Prior:
    """What the search `own` is to know before it begins; `runs` are those of the wanted name that are not in the archive, the newest first.

    Raises NoSearch, StoreError.
    """
    wanted = study.warm_start
    assert isinstance(wanted, WarmStart)
    try:
        return _recalled(store, own, study, wanted, runs)
    except NoSearch:
        if wanted.optional:
            return Prior(wanted.from_)
        raise


def _recalled(store: ArtifactStore, own: AttemptKey, study: Tune, wanted: WarmStart, runs: Sequence[str]) -> Prior:
    run, _, step = wanted.from_.rpartition(".")
    where = "tune.warmStart.from"
    uids = [*runs, *_ended(store, own.namespace, run, where)]
    found: list[Known] = []
    for uid in uids:
        if (uid, step) != (own.uid, own.task) and (found := _trials(store, own.namespace, uid, step, study)):
            fitting = [trial for trial in found if not misfit(study, trial.params)]
            if fitting:
                return Prior(wanted.from_, uid, fitting, len(found))
            why = misfit(study, found[0].params)
            raise NoSearch(
                f"{where}: none of the {len(found)} trials of {wanted.from_} fits this search: the first {why}"
            )
    if not uids:
        raise NoSearch(
            f"{where}: there is no run '{run}' in the namespace {own.namespace}, nor are records of one kept"
        )
    metrics = ", ".join(metric.name for metric in study.objectives)
    raise NoSearch(
        f"{where}: the run '{run}' has no tune step '{step}' with a trial that has succeeded and left {metrics}"
    )


def _ended(store: ArtifactStore, namespace: str, run: str, where: str) -> Iterator[str]:
    """The runs of a name that have ended, the newest first: in a cluster they have the name itself, locally a number after it."""
    try:
        lines = [line for line in archive.lines(store, namespace, run) if _is_of(line.run, run)]
    except InvalidKey:
        raise NoSearch(f"{where}: '{run}' is no name of a run") from None
    lines.sort(key=lambda line: line.ended, reverse=True)
    return iter(line.uid for line in lines[:LOOKED_AT])


def _is_of(called: str, run: str) -> bool:
    rest = called.removeprefix(run)
    return not rest or (rest.startswith(".") and rest[1:].isdigit())


def _trials(store: ArtifactStore, namespace: str, uid: str, step: str, study: Tune) -> list[Known]:
    """The trials of a search that succeeded and left every metric, in the order of their numbers."""
    try:
        kept = load_run(store, namespace, uid, step)
    except InvalidKey:
        return []
    found: dict[int, Known] = {}
    for key, record in sorted(kept.records.items(), key=lambda pair: pair[0].attempt):
        number = key.task.removeprefix(f"{step}/")
        if number.isdigit() and paths.numbered(step, int(number)) == key.task:
            found.pop(int(number), None)  # of an earlier attempt
            if known := _known(kept, key.task, record, study):
                found[int(number)] = known
    return [found[number] for number in sorted(found)]


def _known(kept: Kept, task: str, record: Record, study: Tune) -> Known | None:
    names = [metric.name for metric in study.objectives]
    values = values_of(study, {name: value_named(record, name) for name in names})
    chosen = kept.trials.get(task)
    if values is None or not record.is_success:
        return None
    return Known(dict(record.params if chosen is None else chosen.params), values)

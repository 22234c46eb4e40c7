"""Models by name, in the store: versions, and aliases that are moved by compare and swap.

The one thing that decides is that a key is created once (`write_bytes` with `if_absent`), which every store does: move 17 is the object
``moves/000017.json``, and of two that race one creates it. Who does not looks again, and is told if it was about the same alias. Garbage collection
keeps what the moves name. Synchronous: callers on an event loop use a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from mlworkflow.core.values import ArtifactRef
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import NotFound, StoreRefused, StoreUnavailable
from mlworkflow.store.layout import cas_key, is_namespace, models_prefix, move_key, move_number, moves_prefix
from mlworkflow.store.model_log import Made, Model, Move, Version, fold
from mlworkflow.store.presence import renewed

SHOWN = 5
"""Versions that a message lists."""
READERS = 8
TRIES = 20
"""Creations that may fail although nobody else has created the key: a store may say so while it is busy."""


class NoModel(Exception):
    """There is no such model, version or alias; the message says which there are."""


class ModelGone(NoModel):
    """There was, and its bytes are not in the store any more."""


class AliasMoved(Exception):
    """An alias does not mean what was expected; the message says what it means, and who moved it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is to be a version: its artifact, what left it, and what is known of it."""

    artifact: ArtifactRef
    made: Made | None
    metrics: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, version: Version) -> Candidate:
        return cls(version.artifact, version.made, version.metrics)


@dataclass(frozen=True, slots=True)
class Wish:
    """That an alias be moved. `id` tells the wish from any other: asked for again, it is not carried out again. `expect` is what the alias has to mean
    (`model_log.Model.is_as_expected`); what it means when it is first looked at has to hold in any case."""

    alias: str
    by: str
    id: str
    message: str = ""
    expect: str = ""


def names(store: ArtifactStore, namespace: str) -> list[str]:
    """The models of a namespace; what others keep beside them is none. Raises `StoreError`."""
    found = (name for name in store.folders(models_prefix(namespace)) if is_namespace(name))
    return sorted(name for name in found if any(store.list(moves_prefix(namespace, name))))


def read(store: ArtifactStore, namespace: str, name: str) -> Model:
    """A model; without versions where there is none such. Raises `StoreError`."""
    listed = max((move_number(key) or 0 for key in store.list(moves_prefix(namespace, name))), default=0)
    with ThreadPoolExecutor(READERS) as readers:
        moves = list(readers.map(lambda number: _move(store, namespace, name, number), range(1, listed + 1)))
    known = [move for move in moves if move]
    if len(known) < listed:
        raise StoreRefused(f"the model '{name}': {move_key(namespace, name, moves.index(None) + 1)} is missing")
    while more := _move(store, namespace, name, len(known) + 1):  # a listing may lag behind
        known.append(more)
    return fold(name, known)


def every(store: ArtifactStore, namespace: str) -> list[Model]:
    """All models of a namespace. Raises `StoreError`."""
    return [read(store, namespace, name) for name in names(store, namespace)]


def find(store: ArtifactStore, namespace: str, name: str, text: str) -> Version:
    """The version that an alias, a number or a digest stands for; its artifact is in the store, and stays for now. Raises NoModel, `StoreError`."""
    model = read(store, namespace, name)
    if not model.moves:
        known = ", ".join(names(store, namespace)) or "none yet: mlwf models promote"
        raise NoModel(f"there is no model '{name}' in the namespace {namespace}; there are: {known}")
    version = model.version(text)
    if version is None:
        raise NoModel(f"the model '{name}' has no '{text}'; it has {_listed(model)}")
    _must_be_there(store, namespace, f"the model '{name}': version {version.number}", version.artifact)
    return version


def registered(store: ArtifactStore, namespace: str, digest: str) -> Candidate | None:
    """What is known of a model that is a version of any name. Raises `StoreError`."""
    found = (model.version(digest) for model in every(store, namespace))
    return next((Candidate.of(version) for version in found if version), None)


def promote(store: ArtifactStore, namespace: str, name: str, candidate: Candidate, wish: Wish) -> Move:
    """Have an alias mean a model, which becomes a version if it is none yet: the move by which it does. Raises AliasMoved, ModelGone, `StoreError`."""
    _must_be_there(store, namespace, "it", candidate.artifact)
    return _append(store, namespace, name, wish, lambda model: _onto(model, wish, candidate, store.now()))


def foretell(store: ArtifactStore, namespace: str, name: str, candidate: Candidate, wish: Wish) -> Move:
    """The move by which an alias came to mean a model, or, where it never has, would. Nothing is moved. Raises `StoreError`."""
    model = read(store, namespace, name)
    digest = candidate.artifact.digest
    known = (move for move in model.moves if (move.alias, move.digest) == (wish.alias, digest) and not move.rollback)
    return next(known, None) or _onto(model, wish, candidate, store.now())


def rollback(store: ArtifactStore, namespace: str, name: str, wish: Wish) -> Move:
    """Have an alias mean what it meant before. Raises NoModel, AliasMoved, `StoreError`."""

    def move(model: Model) -> Move:
        if wish.alias not in model.aliases:
            raise NoModel(f"the model '{name}' has no alias '{wish.alias}'; it has {_listed(model)}")
        version = model.before(wish.alias)
        if version is None:
            raise NoModel(f"the alias '{wish.alias}' of '{name}' has meant nothing before version {model.aliases[wish.alias]}")  # fmt: skip
        _must_be_there(store, namespace, f"version {version.number} of '{name}'", version.artifact)
        return replace(_to(model, wish, version.number, Candidate.of(version), store.now()), rollback=True)

    return _append(store, namespace, name, wish, move)


def _append(store: ArtifactStore, namespace: str, name: str, wish: Wish, make: Callable[[Model], Move]) -> Move:
    """Create the next move, unless the wish has been fulfilled or its alias has moved since it was first looked at."""
    looked, before, tries = -1, -1, TRIES
    while tries:
        model = read(store, namespace, name)
        if done := next((move for move in model.moves if move.id == wish.id), None):
            return done
        move, last = make(model), model.last(wish.alias)
        if last and last.version == move.version:
            return last
        if not model.is_as_expected(wish.alias, wish.expect) or (last and last.number > looked >= 0):
            raise AliasMoved(_told(name, wish, last))
        tries = TRIES if len(model.moves) > before else tries - 1
        before = len(model.moves)
        looked = before if looked < 0 else looked
        if store.write_bytes(move_key(namespace, name, move.number), msgspec.json.encode(move), if_absent=True):
            return move
    raise StoreUnavailable(f"the model '{name}': the store does not take move {before + 1}")


def _onto(model: Model, wish: Wish, candidate: Candidate, now: float) -> Move:
    """The next move, to a model that may be a version already."""
    known = model.version(candidate.artifact.digest)
    taken = Candidate.of(known) if known else candidate
    return _to(model, wish, known.number if known else len(model.versions) + 1, taken, now)


def _to(model: Model, wish: Wish, version: int, taken: Candidate, now: float) -> Move:
    return Move(
        number=len(model.moves) + 1,
        id=wish.id,
        alias=wish.alias,
        version=version,
        digest=taken.artifact.digest,
        size=taken.artifact.size,
        type=taken.artifact.type,
        previous=model.aliases.get(wish.alias, 0),
        by=wish.by,
        at=round(now, 3),
        message=wish.message,
        made=taken.made,
        metrics=taken.metrics,
    )


def _move(store: ArtifactStore, namespace: str, name: str, number: int) -> Move | None:
    key = move_key(namespace, name, number)
    try:
        return msgspec.json.decode(store.read_bytes(key), type=Move)
    except NotFound:
        return None
    except msgspec.DecodeError as error:
        raise StoreRefused(f"{key} cannot be read: {error}") from None


def _must_be_there(store: ArtifactStore, namespace: str, noun: str, artifact: ArtifactRef) -> None:
    if renewed(store, cas_key(namespace, artifact.digest)) != artifact.size:
        raise ModelGone(f"{noun}: {artifact.digest} is not in the store any more")


def _told(name: str, wish: Wish, last: Move | None) -> str:
    wanted = f", not {wish.expect}" if wish.expect else ""
    if last is None:
        return f"the alias '{wish.alias}' of '{name}' does not exist{wanted}"
    why = f": {last.message}" if last.message else ""
    return f"the alias '{wish.alias}' of '{name}' means version {last.version} ({last.digest}){wanted}: {last.by} moved it there{why}"


def _listed(model: Model) -> str:
    """The aliases of a model, and its last versions."""
    aliases = ", ".join(f"'{alias}' ({number})" for alias, number in sorted(model.aliases.items()))
    shown = ", ".join(str(version.number) for version in model.versions[: -SHOWN - 1 : -1])
    more = f" and {len(model.versions) - SHOWN} older ones" if len(model.versions) > SHOWN else ""
    return f"the aliases {aliases} and the versions {shown}{more}"

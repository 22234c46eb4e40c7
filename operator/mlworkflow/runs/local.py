"""The runs of a folder on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

from mlworkflow.core import status
from mlworkflow.core.observation import AttemptId
from mlworkflow.core.state import Phase
from mlworkflow.core.values import ArtifactRef
from mlworkflow.local.home import NAMESPACE, Home, LocalRun
from mlworkflow.runs.errors import NoSuchRun, Refused, Removed, RunsError, Usage
from mlworkflow.runs.lineage.book import Act
from mlworkflow.runs.run import NoLog, PodNow, Resource, Run, must_exist
from mlworkflow.store import archive
from mlworkflow.store.errors import InvalidKey, NotFound, StoreError
from mlworkflow.store.layout import AttemptKey, Line, cas_key, provenance_key, record_key, signature_key
from mlworkflow.store.records import raw_records, read_left, read_log, read_record, record_keys

LOG = "agent.log"
PATIENCE = 10.0
"""Seconds that a process that runs a workflow has to take up what it is asked."""
_LOOK_AGAIN = 0.2
_ASK_AGAIN = 0.05
INTERRUPTED = "interrupted: the process that ran it is gone"


class LocalRuns:
    """Implements `Runs`."""

    is_local = True

    def __init__(self, home: Home, flags: str, patience: float = PATIENCE) -> None:
        self._home = home
        self._patience = patience
        self.flags = flags

    async def list(self, everywhere: bool = False) -> list[Run]:
        return [self._shown(run) for run in self._home.runs()]

    async def archived(self) -> Sequence[Line]:
        return sorted(self._lines(), key=lambda line: (line.ended, line.uid))

    async def get(self, name: str) -> Run:
        if self._home.run(name) is None and (gone := self._gone(name)):
            return gone
        return self._shown(self._find(name))

    def read(self, name: str) -> Run | None:
        """One run by its id, as `get` gives it; None where it has just been deleted."""
        own, _, number = name.rpartition(".")
        found = self._home.read(own, int(number))
        return None if found is None else self._shown(found)

    def _gone(self, name: str) -> Run | None:
        """A run that was deleted, by what it was called, the last of a workflow, or by its uid."""
        import msgspec

        lines = [line for line in self._lines() if name in (line.run, line.run.rpartition(".")[0], line.uid)]
        if not lines:
            return None
        last = max(lines, key=lambda line: line.ended)
        with _translated():
            try:
                resource = archive.read(self._home.store, NAMESPACE, last.uid)
            except msgspec.DecodeError as error:
                raise RunsError(
                    f"what is kept of {last.run} cannot be read: {error}", f"forget it: mlwf delete {last.run} --purge"
                ) from None
        if resource is None:
            return None
        del resource["id"]
        return Run(name if name == last.uid else last.run, resource, is_archived=True)

    def _lines(self) -> Sequence[Line]:
        with _translated():
            return list(archive.lines(self._home.store, NAMESPACE))

    async def watch(self, name: str) -> AsyncGenerator[Run, None]:
        found = self._find(name)
        before: Run | None = None
        while True:
            run = self._shown(self._find(found.id))
            if before is None or run.status != before.status:
                yield run
                before = run
            if run.phase.is_finished:
                return
            await asyncio.sleep(_LOOK_AGAIN)

    async def record(self, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        import msgspec

        with _translated():
            found = read_record(self._home.store, AttemptKey(NAMESPACE, run.uid, task, attempt))
        return None if found is None else dict(msgspec.to_builtins(found))

    async def kept_log(self, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        with _translated():
            found = read_log(self._home.store, AttemptKey(NAMESPACE, run.uid, task, attempt))
        return None if found is None else {"digest": found.digest, "size": found.size, "type": found.type}

    async def left(self, run: Run, task: str, attempt: int) -> Mapping[str, Any]:
        import msgspec

        with _translated():
            found = read_left(self._home.store, AttemptKey(NAMESPACE, run.uid, task, attempt))
        return dict(msgspec.to_builtins(found))

    async def attempts(self, run: Run) -> Sequence[AttemptId]:
        with _translated():
            return [(key.task, key.attempt) for key in record_keys(self._home.store, NAMESPACE, run.uid)]

    async def acts(self) -> AsyncGenerator[Act, None]:
        called = {line.uid: line.run for line in self._lines()} | {run.uid: run.id for run in self._home.runs()}
        with _translated():
            for key, data in raw_records(self._home.store, NAMESPACE):
                record = json.loads(data)
                yield Act(key.uid, called.get(key.uid, record.get("workflow", "")), key.task, key.attempt, record)

    async def raw_record(self, run: Run, task: str, attempt: int) -> bytes | None:
        return self._bytes(record_key(NAMESPACE, run.uid, task, attempt))

    async def statement(self, run: Run) -> bytes | None:
        return self._bytes(provenance_key(NAMESPACE, run.uid))

    async def signature(self, run: Run, task: str, attempt: int, artifact: str) -> bytes | None:
        return self._bytes(signature_key(NAMESPACE, run.uid, task, attempt, artifact))

    def _bytes(self, key: str) -> bytes | None:
        with _translated():
            try:
                return self._home.store.read_bytes(key)
            except NotFound:
                return None

    async def public_keys(self) -> str:
        from mlworkflow.attest.keys import published

        try:
            return published(self._home.signing_key)
        except FileNotFoundError:
            raise RunsError(
                f"there is no key in {self._home.root}: nothing was signed there yet", "name a public key with --key"
            ) from None

    async def artifact(self, run: Run, digest: str) -> AsyncGenerator[bytes, None]:
        with _translated():
            for piece in self._home.store.read(cas_key(NAMESPACE, digest)):
                yield piece

    async def live_log(self, run: Run, task: str, attempt: int, follow: bool) -> AsyncGenerator[bytes, None]:
        path = self._home.work(run.uid, task, attempt) / LOG
        if not path.exists():
            raise NoLog(f"{run.id}: attempt {attempt} of {task} left no log")
        with path.open("rb") as file:
            while True:
                is_over = not follow or self._is_over(run, task, attempt)  # asked before reading: nothing is missed
                while piece := file.read(1 << 16):
                    yield piece
                if is_over:
                    return
                await asyncio.sleep(_LOOK_AGAIN)

    async def submit(self, resource: Resource) -> Run:
        raise Usage("a run of this machine is carried out by who asks for it", "mlwf run FILE")

    async def change(self, run: Run, spec: Mapping[str, Any]) -> None:
        """Ask the process that runs it, and wait until it has taken that up."""
        must_exist(run)
        found = self._find(run.id)
        if not self._home.is_under_way(found):
            raise RunsError(f"{run.id} is not running", f"take it up again: mlwf retry {run.id}{self.flags}")
        requests = self._home.requests(found)
        path, deadline = requests.add(spec), time.monotonic() + self._patience
        while path.exists():
            is_heard = self._home.is_under_way(found)
            if not is_heard or time.monotonic() > deadline:
                requests.done(path)
                why = "does not answer" if is_heard else "ended before it heard of it"
                raise RunsError(
                    f"nothing was changed: the process that runs {run.id} {why}", f"look: mlwf get {run.id}{self.flags}"
                )
            await asyncio.sleep(_ASK_AGAIN)

    async def is_idle(self, run: Run) -> bool:
        must_exist(run)
        is_idle = not self._home.is_under_way(self._find(run.id))
        if run.phase.is_finished and not is_idle:
            raise RunsError(f"{run.id} has not quite ended yet", "try again in a moment")
        return is_idle

    async def pods(self, everywhere: bool = False) -> Mapping[str, PodNow]:
        return {}

    async def whoami(self) -> str:
        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return str(os.getuid())

    async def delete(self, run: Run) -> None:
        must_exist(run)
        found = self._find(run.id)
        if self._home.is_under_way(found):
            raise RunsError(f"{run.id} is still running", f"stop it first: mlwf stop {run.id}{self.flags}")
        with _translated():
            self._home.delete(replace(found, resource={**run.resource, "status": _last(found.resource["status"])}))

    async def purge(self, run: Run) -> None:
        with _translated():
            archive.purge(self._home.store, NAMESPACE, run.uid)

    async def garbage(self, *, dry_run: bool, grace: float | None) -> Mapping[str, Any]:
        import msgspec

        from mlworkflow.local.garbage import Busy, collect_home
        from mlworkflow.store.garbage import Retention

        retention = Retention() if grace is None else Retention(grace=grace)
        try:
            with _translated():
                report = await asyncio.to_thread(collect_home, self._home, retention, dry_run=dry_run)
        except Busy:
            raise RunsError(f"another mlwf gc is at work in {self._home.root}", "wait for its end") from None
        return dict(msgspec.to_builtins(report))

    async def datasets(self, name: str | None = None) -> Sequence[Mapping[str, Any]]:
        import msgspec

        from mlworkflow.store import datasets

        with _translated():
            store = self._home.store
            found = datasets.newest(store, NAMESPACE) if name is None else datasets.versions(store, NAMESPACE, name)
        return list(msgspec.to_builtins(found))

    async def add_dataset(
        self, name: str, artifact: ArtifactRef, source: str, content: BinaryIO | None
    ) -> Mapping[str, Any]:
        import msgspec

        from mlworkflow.store import datasets

        store = self._home.store
        with _translated():
            if content is not None:
                pieces = iter(lambda: content.read(1 << 20), b"")
                store.write(cas_key(NAMESPACE, artifact.digest), artifact.digest, artifact.size, pieces)
            try:
                added = datasets.add(store, NAMESPACE, name, artifact, source)
            except datasets.NoDataset:
                raise NotFound(artifact.digest) from None
        return dict(msgspec.to_builtins(added))

    async def remove_dataset(self, name: str, digest: str) -> None:
        from mlworkflow.store import datasets

        with _translated():
            try:
                datasets.remove(self._home.store, NAMESPACE, name, digest)
            except datasets.NoDataset as missing:
                raise RunsError(str(missing), f"those there are: mlwf dataset list{self.flags}") from None

    async def models(self) -> Sequence[Mapping[str, Any]]:
        import msgspec

        from mlworkflow.store import models

        with _translated():
            return list(msgspec.to_builtins(models.every(self._home.store, NAMESPACE)))

    async def model(self, name: str) -> Mapping[str, Any] | None:
        import msgspec

        from mlworkflow.store import models

        with _translated():
            found = models.read(self._home.store, NAMESPACE, name)
        return dict(msgspec.to_builtins(found)) if found.moves else None

    async def move_alias(self, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        import msgspec

        from mlworkflow.store.model_requests import Request, carry_out
        from mlworkflow.store.models import AliasMoved, NoModel

        try:
            with _translated():
                made = carry_out(self._home.store, NAMESPACE, name, msgspec.convert(asked, Request))
        except (AliasMoved, NoModel, msgspec.ValidationError) as error:
            raise Refused(str(error), f"what there is: mlwf models show {name}{self.flags}") from None
        return dict(msgspec.to_builtins(made))

    def _find(self, name: str) -> LocalRun:
        found = self._home.run(name)
        if found is None:
            known = list(dict.fromkeys(run.name for run in reversed(self._home.runs())))[:10]
            raise NoSuchRun(
                f"there is no local run '{name}' in {self._home.root}",
                f"there are: {', '.join(known)}" if known else "start one: mlwf run FILE",
            )
        return found

    def _is_over(self, run: Run, task: str, attempt: int) -> bool:
        """Whether an attempt has ended: it has a record, or another has taken its place, or nobody runs it."""
        with _translated():
            if self._home.store.stat(record_key(NAMESPACE, run.uid, task, attempt)) is not None:
                return True
        now = self._shown(self._find(run.id))
        return now.phase.is_finished or int(now.task(task).get("attempts") or 0) != attempt + 1

    def _shown(self, run: LocalRun) -> Run:
        """A run as it is told: one whose process was killed did not live to say so itself."""
        shown = Run(run.id, run.resource)
        if shown.phase.is_finished or self._home.is_under_way(run):
            return shown
        message = f"{INTERRUPTED}; go on with it: mlwf retry {run.id}{self.flags}"
        return Run(run.id, {**run.resource, "status": status.cut_off(shown.status, message)})


def _last(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status of a run that nobody will go on with."""
    if Phase(state.get("phase") or Phase.PENDING).is_finished:
        return state
    return status.cut_off(state, INTERRUPTED, time.time())


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise Removed("the store does not have it any more", "it was deleted, or the folder was moved") from None
    except InvalidKey as error:
        raise Usage(str(error), "those there are: mlwf list --local") from None
    except StoreError as error:
        raise Refused(
            f"the store: {error}", "is the folder of runs whole, and has its disk room? mlwf doctor --local"
        ) from None

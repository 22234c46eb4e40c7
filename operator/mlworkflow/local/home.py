"""The folder of local runs (``.mlworkflow``, or `$MLWF_HOME`): artifacts, and each run as the resource it was, with its status.

store/                     the artifact store
runs/<name>.<n>.json       the n-th run of the workflow <name>
runs/.<name>.<n>.lock      locked for as long as the run is under way
runs/.<name>.<n>.requests/ what other processes ask of it meanwhile
work/<uid>/<task>/<n>/     what an attempt sees
webhook.key                what webhooks are signed with
signing.key                what statements of runs are signed with
detached.log               what processes that run workflows for others had to say (`detached`)
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mlworkflow.local.listing import run_files
from mlworkflow.local.requests import Requests
from mlworkflow.store import archive
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.signing import BlobSigner

NAMESPACE = "local"


@dataclass(frozen=True, slots=True)
class LocalRun:
    """A run: `resource` has metadata, spec and status, as in a cluster."""

    name: str
    number: int
    resource: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.name}.{self.number}"

    @property
    def uid(self) -> str:
        return str(self.resource["metadata"]["uid"])


class Home:
    """The folder; it is made when something is first kept in it."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.signer = BlobSigner(os.urandom(32))
        self.store = DirectoryStore(self.root / "store", self.signer)

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> Home:
        return cls(Path(environ.get("MLWF_HOME") or ".mlworkflow"))

    def runs(self) -> list[LocalRun]:
        """Every run, oldest first."""
        return sorted(self._read(), key=lambda run: (run.resource["metadata"]["creationTimestamp"], run.number))

    def run(self, name: str) -> LocalRun | None:
        """The run by its id (``digits.2``) or its uid, or the last run of a workflow (``digits``)."""
        called = [(own, number) for own, number in self.ids() if name in (f"{own}.{number}", own)]
        if called and (run := self.read(*max(called, key=lambda each: each[1]))):
            return run  # without a look into thousands of others
        matching = [run for run in self._read() if name == run.uid]
        return max(matching, key=lambda run: run.number, default=None)

    def ids(self) -> Iterator[tuple[str, int]]:
        """The name and number of every run, from its file's name alone."""
        yield from ((name, number) for name, number, _ in run_files(self.root))

    def read(self, name: str, number: int) -> LocalRun | None:
        """One run; None where it has just been deleted."""
        try:
            text = (self.root / "runs" / f"{name}.{number}.json").read_text()
        except FileNotFoundError:
            return None
        return LocalRun(name, number, json.loads(text))

    def called(self, namespace: str, name: str) -> list[str]:
        """The uids of the runs with an id or a name, the newest first."""
        return [run.uid for run in reversed(self.runs()) if name in (run.id, run.name)]

    def claim(self, name: str) -> tuple[int, BinaryIO]:
        """The number of a new run, and its lock: while that is open, the run is under way and the number is no one else's."""
        taken = [run.number for run in self._read() if run.name == name]
        taken += [int(line.run.rpartition(".")[2]) for line in archive.lines(self.store, NAMESPACE, name)]
        number = max(taken, default=0) + 1
        (self.root / "runs").mkdir(parents=True, exist_ok=True)
        while True:
            if lock := self._locked(name, number):
                if not (self.root / "runs" / f"{name}.{number}.json").exists():
                    return number, lock
                lock.close()
            number += 1

    def reclaim(self, run: LocalRun) -> BinaryIO | None:
        """The lock of a run that is there already; None while it is under way."""
        return self._locked(run.name, run.number)

    def _locked(self, name: str, number: int) -> BinaryIO | None:
        """The lock of a run, if nobody has it."""
        while True:
            lock = self._lock(name, number).open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock.fileno()), os.stat(self._lock(name, number))):
                    return lock
            except BlockingIOError:
                lock.close()
                return None
            except FileNotFoundError:
                pass
            lock.close()  # it was let go between opening and locking: that file is nobody's lock any more

    def release(self, run: LocalRun, lock: BinaryIO) -> None:
        """The run is over."""
        self._lock(run.name, run.number).unlink(missing_ok=True)
        lock.close()

    def is_under_way(self, run: LocalRun) -> bool:
        """Whether a process is running it; one that was killed leaves its run unfinished."""
        try:
            lock = self._lock(run.name, run.number).open("rb")
        except FileNotFoundError:
            return False
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def save(self, run: LocalRun) -> None:
        """Write a run, whole or not at all."""
        folder = self.root / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        scratch = folder / f".{run.id}.tmp"
        scratch.write_text(json.dumps(run.resource, indent=1, ensure_ascii=False))
        scratch.replace(folder / f"{run.id}.json")

    def delete(self, run: LocalRun) -> None:
        """Forget a run that has ended and its folders; what is kept of it stays, as of a workflow of a cluster that is gone."""
        archive.archive(self.store, run.id, run.resource)
        shutil.rmtree(self.attempts(run.uid), ignore_errors=True)
        shutil.rmtree(self._requests(run), ignore_errors=True)
        self._lock(run.name, run.number).unlink(missing_ok=True)
        (self.root / "runs" / f"{run.id}.json").unlink(missing_ok=True)

    def work(self, uid: str, task: str, attempt: int) -> Path:
        """The folder of an attempt."""
        return self.attempts(uid) / task / str(attempt)

    def attempts(self, uid: str) -> Path:
        """The folder of all attempts of a run."""
        return self.root / "work" / uid

    def requests(self, run: LocalRun) -> Requests:
        """What is asked of a run while it is under way."""
        return Requests(self._requests(run))

    def _requests(self, run: LocalRun) -> Path:
        return self.root / "runs" / f".{run.id}.requests"

    def webhook_key(self) -> Path:
        """The file of the key that webhooks are signed with, made when it is first asked for; nobody else may read it."""
        path = self.root / "webhook.key"
        if not path.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.root) as scratch:  # of mode 0600
                scratch.write(secrets.token_urlsafe(32))
                scratch.flush()
                with contextlib.suppress(FileExistsError):
                    os.link(scratch.name, path)
        return path

    @property
    def signing_key(self) -> Path:
        """The file of the key that statements are signed with; whoever signs first makes it."""
        return self.root / "signing.key"

    def _lock(self, name: str, number: int) -> Path:
        return self.root / "runs" / f".{name}.{number}.lock"

    def _read(self) -> Iterator[LocalRun]:
        for name, number in self.ids():
            if run := self.read(name, number):
                yield run

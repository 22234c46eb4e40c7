"""The bench that agent tests work at."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._auth import LocalTokens
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.runs import Task
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import AttemptKey, cas_key
from mlworkflow.store.signing import BlobSigner

from tests.component.fakes import FakeRuns, a_task, served

STEPS = str(Path(__file__).parents[3] / "steps")


@dataclass
class Bench:
    """A gateway, its engine and its store, and a way to run the agent."""

    url: str
    runs: FakeRuns
    store: ArtifactStore
    tokens: LocalTokens
    folder: Path
    namespace: str = field(default_factory=lambda: f"ns-{uuid.uuid4().hex[:12]}")

    @property
    def token_file(self) -> Path:
        """Where the agent's token is."""
        return self.folder / "token"

    def start(self, task: Task, command: str = "run", **environ: str) -> tuple[AttemptKey, subprocess.Popen[str]]:
        """Starts the agent for a task."""
        key = self.runs.add(task)
        self.token_file.write_text(self.tokens.issue(key))
        settings = {
            "MLWF_GATEWAY": self.url,
            "MLWF_TOKEN_FILE": str(self.token_file),
            "MLWF_ROOT": str(self.folder / "root"),
        }
        return key, subprocess.Popen(
            [sys.executable, "-m", "mlworkflow_steps.agent", command],
            env={**os.environ, "PYTHONPATH": STEPS, **settings, **environ},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, task: Task, command: str = "run", **environ: str) -> tuple[int, Result, str, str]:
        """Runs the agent; its exit code, what it committed, its output and its errors."""
        key, process = self.start(task, command, **environ)
        out, err = process.communicate(timeout=60)
        assert key in self.runs.results, err
        return process.returncode, self.runs.results[key], out, err

    def task(self, script: str, **fields: object) -> Task:
        """A task that runs a shell script."""
        key = AttemptKey(self.namespace, uuid.uuid4().hex, "train", 0)
        return a_task(command=["sh", "-c", script], key=key, **fields)  # type: ignore[arg-type]

    def put(self, data: bytes) -> ArtifactRef:
        """Stores an artifact."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.store.write_bytes(cas_key(self.namespace, digest), data)
        return ArtifactRef(digest, len(data), "file")

    def get(self, artifact: ArtifactRef | None) -> bytes:
        """The bytes of an artifact."""
        assert artifact is not None
        return self.store.read_bytes(cas_key(self.namespace, artifact.digest))


@pytest.fixture
def make_bench(tmp_path: Path, signer: BlobSigner) -> Iterator[Callable[[ArtifactStore], Bench]]:
    """A bench on any store."""
    with contextlib.ExitStack() as stack:

        def make(store: ArtifactStore) -> Bench:
            runs, tokens = FakeRuns(), LocalTokens()
            blobs = signer if isinstance(store, DirectoryStore) else None
            url = stack.enter_context(served(make_app(runs=runs, store=store, authenticator=tokens, blobs=blobs)))
            return Bench(url, runs, store, tokens, tmp_path)

        yield make


@pytest.fixture
def bench(make_bench: Callable[[ArtifactStore], Bench], directory_store: DirectoryStore) -> Bench:
    """A bench on a folder."""
    return make_bench(directory_store)

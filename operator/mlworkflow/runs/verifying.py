"""Whether what is kept of a run is what was signed at its end: the signature, the records, the artifacts' bytes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import msgspec

from mlworkflow.attest import keys, model
from mlworkflow.attest.check import disagreements
from mlworkflow.attest.evidence import of_bytes
from mlworkflow.attest.statement import Evidence, artifacts, counted, record_name
from mlworkflow.core.observation import AttemptId
from mlworkflow.core.values import ArtifactRef
from mlworkflow.runs.artifacts import Artifact
from mlworkflow.runs.errors import Refused, Removed, RunsError
from mlworkflow.runs.run import Run, Runs

PARALLEL = 8
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Findings:
    """What was looked at, and each thing that does not fit, in words; `content` says whether the artifacts' bytes were read."""

    id: str
    key: str
    records: int
    artifacts: int
    content: bool
    problems: list[str]

    def plain(self) -> dict[str, Any]:
        return {"verified": not self.problems, **asdict(self)}

    def text(self) -> str:
        if self.problems:
            return "\n".join([f"{self.id} does not verify:", *(f"  {problem}" for problem in self.problems)])
        looked = "their bytes are what was signed" if self.content else "their bytes were not looked at"
        return f"{self.id} verifies: signed with key {self.key}, {self.records} records, {self.artifacts} artifacts; {looked}"


async def verify(runs: Runs, run: Run, pem: str, *, content: bool) -> Findings:
    """Raises RunsError where nothing can be said: the run has not ended, or has no statement."""
    if not run.phase.is_finished:
        raise RunsError(
            f"{run.id} is {run.phase}: a run is signed when it has ended", f"mlwf watch {run.id}{runs.flags}"
        )
    envelope = await runs.statement(run)
    if envelope is None:
        raise RunsError(f"{run.id} has no signed statement", _why_not(runs, run))
    trusted = keys.public_keys(pem)
    try:
        payload = keys.opened(envelope, trusted)
        signer = next(id_ for id_ in keys.key_ids(envelope) if id_ in {key.id for key in trusted})
    except keys.BadSignature as error:
        return Findings(run.id, "", 0, 0, False, [f"the statement: {error}"])
    records, spoilt = await _records(runs, run)
    problems = [*spoilt, *disagreements(payload, run.resource, records)]
    problems += await _spoilt_signatures(runs, run, records, trusted)
    left = artifacts(run.status, records)
    if content:
        problems += await _spoilt(runs, run, left)
    return Findings(run.id, signer, len(records), len(left), content, problems)


def _why_not(runs: Runs, run: Run) -> str:
    if runs.is_local:
        return f"its process was cut off before it could sign: the next mlwf run in the folder does, or mlwf retry {run.id}{runs.flags}"
    return "it is made a moment after the end; the operator's log tells where it cannot be"


async def _records(runs: Runs, run: Run) -> tuple[dict[AttemptId, Evidence], list[str]]:
    """The records that can be read, and what is wrong with the others."""
    found: dict[AttemptId, Evidence] = {}
    problems: list[str] = []

    async def read(attempt: AttemptId) -> None:
        data = await runs.raw_record(run, *attempt)
        if data is not None:
            try:
                found[attempt] = of_bytes(data)
            except msgspec.DecodeError as error:
                problems.append(f"record {record_name(attempt)} is no record: {error}")

    await _all(read, await runs.attempts(run))
    return found, sorted(problems)


async def _spoilt_signatures(
    runs: Runs, run: Run, records: dict[AttemptId, Evidence], trusted: list[keys.PublicKey]
) -> list[str]:
    """What is wrong with the signatures of models; one that is not there may be of a model that cannot be signed."""
    wrong = []
    for (task, attempt), record in counted(run.status, records):
        for name in model.models(record):
            if (signature := await runs.signature(run, task, attempt, name)) is not None:
                try:
                    model.check(signature, trusted)
                except keys.BadSignature as error:
                    wrong.append(f"the signature of the model {task}.{name}: {error}")
    return wrong


async def signature_of(runs: Runs, run: Run, artifact: Artifact) -> bytes:
    """The signature of a model. Raises RunsError where there is none."""
    last = int(run.task(artifact.task).get("attempts") or 0) - 1
    attempt = last if artifact.attempt is None else artifact.attempt
    signature = await runs.signature(run, artifact.task, attempt, artifact.name)
    if signature is None:
        hint = "what `train` leaves is signed when its run has ended, unless there are links in it"
        raise RunsError(f"{run.id}: there is no signature of {artifact.task}.{artifact.name}", hint)
    return signature


async def _spoilt(runs: Runs, run: Run, left: dict[str, ArtifactRef]) -> list[str]:
    """What is wrong with the bytes of artifacts; those with the same content are read once."""
    wrong: dict[str, str] = {}

    async def read(digest: str) -> None:
        hashed = hashlib.sha256()
        try:
            async for piece in runs.artifact(run, digest):
                hashed.update(piece)
        except (Refused, Removed) as error:
            wrong[digest] = f"cannot be read: {error}"
            return
        if (found := f"sha256:{hashed.hexdigest()}") != digest:
            wrong[digest] = f"has other bytes in the store: {found}, not {digest}"

    await _all(read, {artifact.digest for artifact in left.values()})
    return [f"artifact {name} {wrong[artifact.digest]}" for name, artifact in left.items() if artifact.digest in wrong]


async def _all(work: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Do it with every item, a few at a time."""
    waiting = list(items)

    async def worker() -> None:
        while waiting:
            await work(waiting.pop())

    workers = [asyncio.create_task(worker()) for _ in range(min(PARALLEL, len(waiting)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for one in workers:
            one.cancel()

"""What the operator keeps of a namespace's runs: records, logs, artifacts, statements, datasets and models by name. Read by way of its gateway.

It is the half of `Runs` that needs no workflow to be there any more; `ClusterRuns` adds the other.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, BinaryIO
from urllib.parse import quote

from mlworkflow.core.observation import AttemptId
from mlworkflow.core.values import ArtifactRef
from mlworkflow.kube.errors import Invalid, NotFound
from mlworkflow.runs.errors import Refused, Removed, RunsError, Usage
from mlworkflow.runs.lineage.book import Act
from mlworkflow.runs.reader import Reader
from mlworkflow.runs.refusals import translated, writing
from mlworkflow.runs.run import Run


class Kept:
    """`server` is for messages, `flags` is what a suggested command needs."""

    def __init__(self, reader: Reader, server: str, flags: str) -> None:
        self._reader = reader
        self._server = server
        self.flags = flags

    async def record(self, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        return await self._kept("record", run, task, attempt)

    async def kept_log(self, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        return await self._kept("log", run, task, attempt)

    async def left(self, run: Run, task: str, attempt: int) -> Mapping[str, Any]:
        return await self._kept("left", run, task, attempt) or {}

    async def _kept(self, noun: str, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        with translated(self._server):
            try:
                query: dict[str, str | int] = {"task": task, "attempt": attempt}
                return dict(await self._reader.json(f"runs/{run.uid}/{noun}", query))
            except NotFound:
                return None

    async def series(self, run: Run, task: str, attempt: int) -> tuple[Sequence[Mapping[str, Any]], bool]:
        """What an attempt has said of its metrics on the way, each ``{name, value, step}``, and whether that is all of it; nothing where it is not known."""
        found = await self._kept("series", run, task, attempt)
        return (found["points"], bool(found["final"])) if found else ((), False)

    async def attempts(self, run: Run) -> Sequence[AttemptId]:
        with translated(self._server):
            found = await self._reader.json(f"runs/{run.uid}")
        return [(str(record["task"]), int(record["attempt"])) for record in found["records"]]

    async def acts(self) -> AsyncGenerator[Act, None]:
        rest = b""
        with translated(self._server):
            try:
                async with aclosing(self._reader.stream("records")) as pieces:
                    async for piece in pieces:
                        *lines, rest = (rest + piece).split(b"\n")
                        for line in lines:
                            said = json.loads(line)
                            run = str(said["record"].get("workflow") or "")
                            yield Act(said["uid"], run, said["task"], said["attempt"], said["record"])
            except NotFound:
                raise Refused("this operator does not tell its records", "it is older than this mlwf") from None

    async def raw_record(self, run: Run, task: str, attempt: int) -> bytes | None:
        return await self._bytes(f"runs/{run.uid}/record", {"task": task, "attempt": attempt})

    async def statement(self, run: Run) -> bytes | None:
        return await self._bytes(f"runs/{run.uid}/provenance")

    async def signature(self, run: Run, task: str, attempt: int, artifact: str) -> bytes | None:
        query: dict[str, str | int] = {"task": task, "attempt": attempt, "artifact": artifact}
        return await self._bytes(f"runs/{run.uid}/signature", query)

    async def public_keys(self) -> str:
        with translated(self._server):
            try:
                return str((await self._reader.json("keys"))["keys"])
            except NotFound:
                raise Refused("the operator signs nothing", "it is too old, or has no key: docs/install.md") from None

    async def _bytes(self, path: str, query: Mapping[str, str | int] | None = None) -> bytes | None:
        with translated(self._server):
            try:
                async with aclosing(self._reader.stream(path, query)) as pieces:
                    return b"".join([piece async for piece in pieces])
            except NotFound:
                return None

    async def artifact(self, run: Run, digest: str) -> AsyncGenerator[bytes, None]:
        with translated(self._server):
            try:
                async with aclosing(self._reader.stream(f"artifacts/{digest}")) as pieces:
                    async for piece in pieces:
                        yield piece
            except NotFound:
                raise Removed("the store does not have it any more", "its retention may be over") from None

    async def purge(self, run: Run) -> None:
        with translated(self._server):
            await self._reader.delete(f"runs/{run.uid}")

    async def garbage(self, *, dry_run: bool, grace: float | None) -> Mapping[str, Any]:
        if not dry_run or grace is not None:
            raise Usage(
                "in a cluster the operator collects garbage by itself, as its installation says",
                f"what it would remove now is told by: mlwf gc --dry-run{self.flags}",
            )
        with translated(self._server):
            try:
                return dict(await self._reader.json("garbage"))
            except NotFound:
                raise RunsError("this operator collects no garbage", "its chart says gc.enabled: false") from None

    async def datasets(self, name: str | None = None) -> Sequence[Mapping[str, Any]]:
        with translated(self._server):
            if name is None:
                return list((await self._reader.json("datasets"))["datasets"])
            try:
                return list((await self._reader.json(f"datasets/{quote(name, safe='')}"))["versions"])
            except NotFound:
                return []

    async def add_dataset(
        self, name: str, artifact: ArtifactRef, source: str, content: BinaryIO | None
    ) -> Mapping[str, Any]:
        import msgspec

        added = msgspec.json.encode({**msgspec.to_builtins(artifact), "source": source})
        with writing(self._server):
            at = f"datasets/{quote(name, safe='')}"
            try:
                return dict(await self._reader.put(at, io.BytesIO(added)))
            except Invalid:  # its bytes are not there
                if content is None:
                    raise
            await self._reader.put(f"artifacts/{artifact.digest}", content, {"size": artifact.size})
            return dict(await self._reader.put(at, io.BytesIO(added)))

    async def remove_dataset(self, name: str, digest: str) -> None:
        with translated(self._server):
            await self._reader.delete(f"datasets/{quote(name, safe='')}", {"digest": digest})

    async def models(self) -> Sequence[Mapping[str, Any]]:
        with translated(self._server):
            return list((await self._reader.json("models"))["models"])

    async def model(self, name: str) -> Mapping[str, Any] | None:
        with translated(self._server):
            try:
                return dict(await self._reader.json(f"models/{quote(name, safe='')}"))
            except NotFound:
                return None

    async def move_alias(self, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        with writing(self._server):
            sent = io.BytesIO(json.dumps(asked).encode())
            return dict(await self._reader.put(f"models/{quote(name, safe='')}", sent))

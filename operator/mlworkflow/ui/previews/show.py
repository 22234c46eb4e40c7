"""The preview of an artifact, or of a member of one."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO
from urllib.parse import urlencode

from mlworkflow.core.values import ArtifactRef
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.run import Run
from mlworkflow.ui.answers import (
    BinaryPreview,
    DirectoryPreview,
    Entry,
    HtmlPreview,
    ImagePreview,
    JsonPreview,
    Preview,
    PreviewBody,
    TextPreview,
)
from mlworkflow.ui.failing import NOT_THERE, Refusal
from mlworkflow.ui.previews.cache import Cache
from mlworkflow.ui.previews.members import collected, entries_of, member
from mlworkflow.ui.previews.sniffing import HEAD, Kind, kind_of, language_of, media_type_of
from mlworkflow.ui.previews.table import table_of
from mlworkflow.ui.site import Site

LARGEST_JSON = 2 << 20
LINES = 2000
ROWS = 500
ENTRIES = 2000
LONGEST_LINE = 20_000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SCRATCH = 1 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """An artifact by its digest, or what is at `path` in it. Raises Usage for what is no digest."""

    namespace: str
    digest: str
    type: str = "file"
    name: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest):
            raise Usage(f"digest={self.digest[:80]}: a digest is sha256: and 64 hex digits")

    def query(self) -> str:
        given = {
            "namespace": self.namespace,
            "digest": self.digest,
            "type": self.type,
            "name": self.name,
            "path": self.path,
        }
        return urlencode({name: value for name, value in given.items() if value})

    @property
    def called(self) -> str:
        """What a file of it would be called."""
        return (self.path or self.name or self.digest.removeprefix("sha256:")[:12]).rpartition("/")[2]


Elsewhere = Callable[[Asked], tuple[str, int]]
"""The address of something that is not ours on the other origin, and until when it is good."""


class Previews:
    """Of one site."""

    def __init__(self, site: Site, cache: Cache) -> None:
        self._site = site
        self._cache = cache

    def close(self) -> None:
        self._cache.close()

    def stream(self, asked: Asked) -> AsyncGenerator[bytes, None]:
        """The bytes of a whole artifact as they come. Raises RunsError."""
        run = Run("", {"metadata": {"uid": "", "name": "", "namespace": asked.namespace}})
        return self._site.runs(asked.namespace).artifact(run, asked.digest)

    @asynccontextmanager
    async def file(self, asked: Asked) -> AsyncGenerator[tuple[Path, int], None]:
        """What is asked for as a file, for as long as it is used. Raises RunsError."""
        at = await self._resolved(asked)
        whole = await self._whole(at)
        if not at.path:
            yield whole, whole.stat().st_size
            return
        part = await self._cache.file(f"{at.namespace}/{at.digest}/{at.path}", _pieces(whole, at.path))
        yield part, part.stat().st_size

    async def preview(self, asked: Asked, offset: int, limit: int, elsewhere: Elsewhere) -> Preview:
        """Raises RunsError."""
        at = await self._resolved(asked)
        size = 0
        if at.type in ("directory", "collection") and not at.path:
            whole = await self._whole(at)
            size = whole.stat().st_size
            body: PreviewBody = await self._directory(at, whole, asked.path, offset, limit)
        else:
            try:
                async with self.file(at) as (file, size):
                    body = await self._body(asked, file, size, offset, limit, elsewhere)
            except Refusal as error:
                if error.status == NOT_THERE:
                    raise
                body = BinaryPreview(head=(await self._head(at)).hex(), why=str(error))
        return Preview(
            digest=at.digest,
            name=asked.name,
            path=asked.path,
            size=size,
            download=f"/api/v1/artifact/download?{asked.query()}",
            body=body,
        )

    async def _resolved(self, asked: Asked) -> Asked:
        """An artifact, or a file in a directory: collections are followed to the member that is meant."""
        while asked.type == "collection" and asked.path:
            first, _, rest = asked.path.partition("/")
            found: ArtifactRef | None = collected(await asyncio.to_thread((await self._whole(asked)).read_bytes)).get(
                first
            )
            if found is None:
                raise Refusal(NOT_THERE, f"path={asked.path}: the collection has no '{first}'")
            asked = replace(asked, digest=found.digest, type=found.type, path=rest)
        return asked

    async def _whole(self, asked: Asked) -> Path:
        return await self._cache.file(f"{asked.namespace}/{asked.digest}", self.stream(asked))

    async def _head(self, asked: Asked) -> bytes:
        head = b""
        async with aclosing(self.stream(asked)) as pieces:
            async for piece in pieces:
                head += piece
                if len(head) >= 256:
                    break
        return head[:256]

    async def _directory(self, at: Asked, whole: Path, prefix: str, offset: int, limit: int) -> DirectoryPreview:
        if at.type == "collection":
            members = collected(await asyncio.to_thread(whole.read_bytes))
            entries = [
                Entry(path=path, type="file" if one.type == "file" else "directory", size=one.size)
                for path, one in members.items()
            ]
        else:
            entries = await asyncio.to_thread(entries_of, whole)
        end = offset + min(limit or ENTRIES, ENTRIES)
        inside = f"{prefix}/" if prefix else ""
        shown = [_at(entry, f"{inside}{entry.path}") for entry in entries[offset:end]]
        return DirectoryPreview(entries=shown, offset=offset, total=len(entries))

    async def _body(
        self, asked: Asked, file: Path, size: int, offset: int, limit: int, elsewhere: Elsewhere
    ) -> PreviewBody:
        with file.open("rb") as stream:
            head = stream.read(HEAD)
        kind, name = kind_of(head, asked.called), asked.called
        if kind in ("html", "svg"):
            url, expires = elsewhere(asked)
            return HtmlPreview(url=url, expires=expires)
        if kind == "image":
            return ImagePreview(url=f"/api/v1/artifact/image?{asked.query()}", media_type=media_type_of(head))
        if kind in ("parquet", "arrow", "csv"):
            return await self._table(file, kind, name, offset, limit, head)
        if kind == "json" and size <= LARGEST_JSON and not offset:
            try:
                return JsonPreview(
                    value=json.loads(await asyncio.to_thread(file.read_text, "utf-8-sig"), parse_constant=str)
                )
            except (ValueError, RecursionError):
                pass  # it begins like JSON, and is text
        if kind == "binary":
            return BinaryPreview(head=head[:256].hex(), why="what it is is not known")
        return await asyncio.to_thread(
            _text, file, offset, limit, language_of(name) or ("json" if kind == "json" else "")
        )

    async def _table(self, file: Path, kind: Kind, name: str, offset: int, limit: int, head: bytes) -> PreviewBody:
        try:
            return await table_of(file, kind, offset, min(limit or 100, ROWS))
        except RunsError as error:
            if kind == "csv":
                return await asyncio.to_thread(_text, file, offset, limit, "csv")
            return BinaryPreview(head=head[:256].hex(), why=str(error))


def _at(entry: Entry, path: str) -> Entry:
    return Entry(path=path, type=entry.type, size=entry.size, target=entry.target)


def _text(file: Path, offset: int, limit: int, language: str) -> TextPreview:
    most = min(limit or LINES, LINES)
    with file.open(encoding="utf-8-sig", errors="replace", newline="\n") as stream:
        lines = list(itertools.islice(_lines(stream), offset, offset + most + 1))
    return TextPreview(
        text="".join(lines[:most]),
        offset=offset,
        lines=min(len(lines), most),
        has_more=len(lines) > most,
        language=language,
    )


def _lines(stream: TextIO) -> Iterator[str]:
    """Lines, those that are too long in pieces."""
    while line := stream.readline(LONGEST_LINE):
        yield line


async def _pieces(archive: Path, path: str) -> AsyncGenerator[bytes, None]:
    with member(archive, path) as (stream, _):
        while piece := await asyncio.to_thread(stream.read, _SCRATCH):
            yield piece

"""An input that is a collection: a directory with an index and the members in their order (contract, section 4).

The manifest is read first, and those of nested collections with it, so that all files and directories are known before the
first of them is fetched: each once, however often it occurs, by a few threads and with URLs asked for in batches.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator

from mlworkflow_steps.agent import transfer, wire
from mlworkflow_steps.agent.errors import GatewayRefused, StepFailure
from mlworkflow_steps.agent.folders import remove
from mlworkflow_steps.agent.gateway import Gateway
from mlworkflow_steps.agent.inputs import in_threads

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

PARALLEL = 8
BATCH = 500
INDEX = "index.json"
_CHUNK = 1 << 20


class _Member:
    """Bytes to fetch, and every place where they are to be."""

    def __init__(self, artifact: dict[str, Any], noun: str) -> None:
        self.artifact = artifact
        self.noun = noun
        self.targets: list[str] = []
        self.url = ""


def fetch(gateway: Gateway, name: str, artifact: dict[str, Any], target: str, *, readable: bool = False) -> None:
    """Makes the directory `target` from a collection, whatever was there before; raises as `transfer.fetch` does."""
    remove(target)
    layout = _Layout(gateway, name, target)
    layout.add(artifact, lambda: gateway.input_url(name), f"input {name!r}", [target])
    members = list(layout.members.values())
    if members:
        lines = _Lines()
        in_threads(
            lambda member: _fetch(gateway, name, member, lines.line, readable), _with_urls(gateway, name, members),
            min(PARALLEL, len(members)),
        )  # fmt: skip


class _Lines(threading.local):
    """A kept connection for each thread."""

    def __init__(self) -> None:
        self.line = wire.Line()


class _Layout:
    """Folders and indexes, made as manifests are read; `members` is what is left to fetch, in the order of the indexes."""

    def __init__(self, gateway: Gateway, name: str, root: str) -> None:
        self._gateway = gateway
        self._name = name
        self._root = root
        self.members: dict[tuple[str, str], _Member] = {}

    def add(self, artifact: dict[str, Any], url: Callable[[], str], noun: str, targets: list[str]) -> None:
        """Lays out one collection at each of `targets`."""
        source = transfer.Source(noun, url, self._gateway.patience)
        with transfer.downloaded(source, artifact, f"{targets[0]}.part") as file:
            items = _items(noun, file.read())
        paths = _paths(items)
        index = [
            {"index": n, "item": item["item"], "phase": item["phase"], "path": path}
            for n, (item, path) in enumerate(zip(items, paths, strict=True))
        ]
        data = json.dumps(index).encode()
        for target in targets:
            os.mkdir(target, 0o755)
            with open(os.path.join(target, INDEX), "wb") as file:
                file.write(data)
        nested: dict[str, tuple[dict[str, Any], list[str]]] = {}
        for item, path in zip(items, paths, strict=True):
            if path is None:
                continue
            member, places = item["artifact"], [os.path.join(target, path) for target in targets]
            if member["type"] == "collection":
                nested.setdefault(member["digest"], (member, []))[1].extend(places)
            else:
                key = (member["digest"], member["type"])
                if key not in self.members:
                    self.members[key] = _Member(member, self._noun(places[0]))
                self.members[key].targets += places
        for member, places in nested.values():
            self.add(member, _member_url(self._gateway, self._name, member["digest"]), self._noun(places[0]), places)

    def _noun(self, place: str) -> str:
        return f"input {self._name + place[len(self._root) :]!r}"


def _items(noun: str, data: bytes) -> list[dict[str, Any]]:
    try:
        items: list[dict[str, Any]] = json.loads(data)["items"]
        for item in items:
            member = item["artifact"]
            if not isinstance(item["phase"], str) or "item" not in item:
                raise ValueError
            if member is not None and member["type"] not in ("file", "directory", "collection"):
                raise ValueError
    except (ValueError, TypeError, KeyError) as error:
        raise StepFailure("InputInvalid", f"{noun} is not the manifest of a collection") from error
    return items


def _paths(items: list[dict[str, Any]]) -> list[str | None]:
    """The name of each member in its folder: its index, all equally wide."""
    width = max(4, len(str(len(items) - 1)))
    return [None if item["artifact"] is None else f"{n:0{width}d}" for n, item in enumerate(items)]


def _member_url(gateway: Gateway, name: str, digest: str) -> Callable[[], str]:
    return lambda: gateway.member_urls(name, [digest])[digest]


def _with_urls(gateway: Gateway, name: str, members: list[_Member]) -> Iterator[_Member]:
    """The members, each with a URL; a batch is asked for when its first member is wanted."""
    for start in range(0, len(members), BATCH):
        batch = members[start : start + BATCH]
        try:
            urls = gateway.member_urls(name, list({member.artifact["digest"] for member in batch}))
        except GatewayRefused as error:
            raise StepFailure("StoreRefused", f"input {name!r}: {error}") from error
        for member in batch:
            member.url = urls[member.artifact["digest"]]
            yield member


def _fetch(gateway: Gateway, name: str, member: _Member, line: wire.Line, readable: bool) -> None:
    fresh = _member_url(gateway, name, member.artifact["digest"])

    def url() -> str:
        known, member.url = member.url, ""  # of a batch, good for one try
        return known or fresh()

    source = transfer.Source(member.noun, url, gateway.patience, line)
    first, *others = member.targets
    if not others:
        transfer.fetch(source, member.artifact, first, readable=readable)
        return
    with transfer.downloaded(source, member.artifact, f"{first}.part") as file:
        if member.artifact["type"] == "directory":
            for target in member.targets:
                file.seek(0)
                transfer.unpack(member.noun, iter(lambda: file.read(_CHUNK), b""), target, readable=readable)
            return
        os.fchmod(file.fileno(), 0o644)
        for target in others:  # copies: a step may write to one of its inputs by mistake
            _copy(file.name, target)
        os.rename(file.name, first)


def _copy(path: str, target: str) -> None:
    import shutil

    shutil.copyfile(path, target)
    os.chmod(target, 0o644)

"""The lineage of one artifact: what it was made from, step by step, and what was made with it. Pure.

Arrows go the way that data goes: artifact → act → artifact. Backward there is one maker for each artifact, forward every user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlworkflow.runs.lineage.book import Act, Book

MADE, USED, PART, CACHED = "made", "used", "part", "cached"


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one node to another, each a digest or an act's id; `name` is that of the output or the input. `kind` is ``made``, ``used``, ``part`` (an act
    of a task that the other is made of) or ``cached`` (the act whose result the other has taken).
    """

    source: str
    target: str
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """`artifacts` and `acts` in the order in which they were found; `outside` are those that no act made. `makers` says by (digest,
    user's id) which act made what that user had: the same bytes may have been made more than once.
    """

    digest: str
    artifacts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    acts: dict[str, Act] = field(default_factory=dict)
    arrows: dict[Arrow, None] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    makers: dict[tuple[str, str], str] = field(default_factory=dict)

    def into(self, node: str) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow.target == node]

    def out_of(self, node: str) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow.source == node]

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "digest": self.digest,
            "artifacts": [
                {**self.artifacts[digest], "name": self.names.get(digest, ""), "outside": digest in self.outside}
                for digest in self.artifacts
            ],
            "steps": [_step(act) for act in self.acts.values()],
            "arrows": [
                {"from": arrow.source, "to": arrow.target, "kind": arrow.kind, "name": arrow.name}
                for arrow in self.arrows
            ],
        }


def lineage(book: Book, digest: str, maker: Act | None = None) -> Graph:
    """The lineage of these bytes; `maker` is the act that left them, where it is asked for those of one run."""
    graph = Graph(digest)
    _artifact(graph, book, digest)
    start = maker or book.maker(digest) or next(iter(book.logs_of(digest)), None)
    if start is None:
        graph.outside.add(digest)
    else:
        graph.makers[digest, ""] = start.id
        _backward(graph, book, digest, start)
    _forward(graph, book, digest)
    return graph


def _backward(graph: Graph, book: Book, digest: str, maker: Act) -> None:
    pending: list[tuple[str, Act]] = [(digest, maker)]
    while pending:
        digest, act = pending.pop(0)
        _artifact(graph, book, digest)
        graph.arrows[Arrow(act.id, digest, MADE, output_of(act, digest))] = None
        graph.names.setdefault(digest, f"{act.task}.{output_of(act, digest)}")
        if act.id in graph.acts:
            continue
        graph.acts[act.id] = act
        if (origin := book.origin(act)) is not None:
            graph.arrows[Arrow(origin.id, act.id, CACHED)] = None
            pending.append((digest, origin))
            continue
        for name, had in act.inputs.items():
            _artifact(graph, book, had)
            graph.arrows[Arrow(had, act.id, USED, name)] = None
            if (found := book.maker(had, act, name)) is None:
                graph.outside.add(had)
                graph.names.setdefault(had, name)
            else:
                graph.makers[had, act.id] = found.id
                pending.append((had, found))
        for part in _parts(book, act, digest):
            graph.arrows[Arrow(part.id, act.id, PART)] = None
            left = [str(reference["digest"]) for reference in part.outputs.values()]
            pending += [(one, part) for one in ([digest] if digest in left else left)]


def _parts(book: Book, act: Act, digest: str) -> list[Act]:
    """Those of what a task is made of that an output of it comes from: the one that left the very bytes, else all."""
    parts = book.parts(act)
    exact = [part for part in parts if any(left["digest"] == digest for left in part.outputs.values())]
    return exact[:1] or parts


def _forward(graph: Graph, book: Book, digest: str) -> None:
    pending, seen = [digest], {digest}
    while pending:
        at = pending.pop(0)
        users = book.users(at)
        for act, name in users:
            graph.arrows[Arrow(at, act.id, USED, name)] = None
        for part, whole in (wholes := book.wholes(at)):
            graph.acts.setdefault(part.id, part)
            graph.arrows.update(
                {Arrow(part.id, at, MADE, output_of(part, at)): None, Arrow(part.id, whole.id, PART): None}
            )
        for act in [*(act for act, _ in users), *(whole for _, whole in wholes)]:
            graph.acts.setdefault(act.id, act)
            for output, reference in act.outputs.items():
                left = str(reference["digest"])
                _artifact(graph, book, left)
                graph.names.setdefault(left, f"{act.task}.{output}")
                graph.arrows[Arrow(act.id, left, MADE, output)] = None
                if left not in seen:
                    seen.add(left)
                    pending.append(left)


def _artifact(graph: Graph, book: Book, digest: str) -> None:
    graph.artifacts.setdefault(digest, book.reference(digest))


def output_of(act: Act, digest: str) -> str:
    """What an act calls these bytes, which it left."""
    return next((name for name, left in act.outputs.items() if left["digest"] == digest), "logs")


def _step(act: Act) -> dict[str, Any]:
    fields = ("kind", "image", "imageDigest", "code", "spec", "params", "parameters", "metrics", "cachedFrom", "reason")
    about = {"id": act.id, "run": act.run, "uid": act.uid, "task": act.task, "attempt": act.attempt}
    return {**about, **{name: act.record[name] for name in fields if act.record.get(name)}}

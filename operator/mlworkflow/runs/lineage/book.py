"""The commit records of a namespace, as who made what and who used it. Pure.

An act is an attempt that has committed. What a task passes on that is made of others (a group, a fan-out, a study) is theirs: so an artifact is
traced to the act that made its bytes, past those that passed it on and past the cache.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlworkflow.core import paths
from mlworkflow.runs.errors import RunsError

LEAST = 4
"""Hex digits of a digest that is cut short."""
MOST = 5
_DIGEST = re.compile(r"(sha256:)?[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True)
class Act:
    """`run` is what the run is called, `record` the record as it is in the store."""

    uid: str
    run: str
    task: str
    attempt: int
    record: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.uid}/{self.task}/{self.attempt}"

    @property
    def inputs(self) -> dict[str, str]:
        """name → digest."""
        found = {}
        for name, said in (self.record.get("inputs") or {}).items():
            found[name] = str(said.get("digest", "")) if isinstance(said, Mapping) else str(said)
        return found

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        """name → reference."""
        return self.record.get("outputs") or {}

    @property
    def cached_from(self) -> str:
        return str(self.record.get("cachedFrom") or "")

    @property
    def is_success(self) -> bool:
        return not self.record.get("exitCode") and not self.record.get("reason")

    @property
    def ended(self) -> float:
        return float(self.record.get("finishedAt") or 0.0)


@dataclass(frozen=True, slots=True)
class Book:
    """All acts by their ids."""

    acts: Mapping[str, Act]
    _makers: dict[str, list[Act]] = field(default_factory=lambda: defaultdict(list))
    _users: dict[str, list[tuple[Act, str]]] = field(default_factory=lambda: defaultdict(list))
    _parts: dict[tuple[str, str], list[Act]] = field(default_factory=lambda: defaultdict(list))
    _named: dict[tuple[str, str], list[Act]] = field(default_factory=lambda: defaultdict(list))
    _references: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, acts: Iterable[Act]) -> Book:
        ordered = sorted(acts, key=lambda act: (act.ended, act.id))
        book = cls({act.id: act for act in ordered})
        for act in ordered:
            for reference in act.outputs.values():
                book._makers[reference["digest"]].append(act)
                book._references.setdefault(reference["digest"], reference)
            book._named[act.uid, act.task].append(act)
            for name, digest in act.inputs.items():
                book._users[digest].append((act, name))
            if (above := paths.parent(act.task)) is not None:
                book._parts[act.uid, above].append(act)
        return book

    def reference(self, digest: str) -> Mapping[str, Any]:
        """``{digest, size, type}`` as far as anybody has said it."""
        return self._references.get(digest) or {"digest": digest}

    def makers(self, digest: str) -> list[Act]:
        """Every act that has left these bytes, the first first."""
        return list(self._makers.get(digest, ()))

    def users(self, digest: str) -> list[tuple[Act, str]]:
        """Every act that had these bytes as an input, with the input's name; what only passed on an earlier result is none."""
        return [(act, name) for act, name in self._users.get(digest, ()) if not act.cached_from or not self.origin(act)]

    def origin(self, act: Act) -> Act | None:
        """The act whose result a cached one is."""
        return self.acts.get(act.cached_from) if act.cached_from else None

    def parts(self, act: Act) -> list[Act]:
        """The acts that a task is made of which runs nothing itself: of each task the last that succeeded."""
        last = {part.task: part for part in self._parts.get((act.uid, act.task), ()) if part.is_success}
        return sorted(last.values(), key=lambda part: (part.ended, part.task))

    def wholes(self, digest: str) -> list[tuple[Act, Act]]:
        """Those that are made of acts that left these bytes, and hold them in something larger: (part, whole)."""
        found = []
        for part in self.makers(digest):
            above = paths.parent(part.task)
            for whole in self._named.get((part.uid, above or ""), ()):
                if all(left["digest"] != digest for left in whole.outputs.values()):
                    found.append((part, whole))
        return found

    def maker(self, digest: str, user: Act | None = None, name: str = "") -> Act | None:
        """Who made these bytes, for this user's input of this name: the step that it was to be taken from; else in the same run whoever was the first
        to, else the last before the user had them, else the first.
        """
        found = self.makers(digest)
        good = [act for act in found if act.is_success] or found
        if user is None:
            return good[0] if good else None
        if (named := self._named_source(digest, user, name)) is not None:
            return named
        began = float(user.record.get("startedAt") or 0.0) or user.ended
        others = [act for act in good if act.id != user.id]
        before = [act for act in others if act.ended <= began]
        mine = [act for act in before if act.uid == user.uid] or [act for act in others if act.uid == user.uid]
        return next(iter(mine[:1] or before[-1:] or others), None)

    def _named_source(self, digest: str, user: Act, name: str) -> Act | None:
        """The act of the step that an input names, in the user's scope or one around it, if it left these bytes."""
        for source in (user.record.get("sources") or {}).get(name, ()):
            step, _, output = source.rpartition(".")
            scope: str | None = paths.enclosing(user.task)
            while scope is not None:
                for act in reversed(self._named.get((user.uid, paths.child(scope, step)), ())):
                    if act.outputs.get(output, {}).get("digest") == digest:
                        return act
                scope = paths.enclosing(scope) if scope else None
        return None

    def find(self, text: str) -> str:
        """The digest that is meant: whole, or its beginning. Raises RunsError."""
        if not _DIGEST.fullmatch(text):
            raise RunsError(
                f"'{text}' is no digest",
                f"write sha256:…, at least {LEAST} digits of it, or RUN/STEP.OUTPUT as in digits/train.model",
            )
        start = f"sha256:{text.removeprefix('sha256:')}"
        found = sorted(digest for digest in {*self._makers, *self._users, *self._logs()} if digest.startswith(start))
        if not found:
            raise RunsError(
                f"no record knows {start}", "is it of another namespace, or is its run purged? mlwf list --archived"
            )
        if len(found) > 1:
            more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
            raise RunsError(f"{start} begins {len(found)} digests", f"they are {', '.join(found[:MOST])}{more}")
        return found[0]

    def output(self, uid: str, run: str, task: str, name: str) -> tuple[str, Act]:
        """The digest of an output by its name in a run, and who left it. Raises RunsError."""
        acts = [act for act in self.acts.values() if (act.uid, act.task) == (uid, task)]
        if not acts:
            known = sorted({act.task for act in self.acts.values() if act.uid == uid})
            raise RunsError(f"{run}: no result of '{task}' is kept", f"there are: {', '.join(known[:20]) or 'none'}")
        act = max(acts, key=lambda act: (act.is_success, act.attempt))
        left = {**act.outputs, **({"logs": act.record["logs"]} if act.record.get("logs") else {})}
        if name not in left:
            raise RunsError(f"{run}: {task} left no '{name}'", f"it left: {', '.join(left) or 'nothing'}")
        return str(left[name]["digest"]), act

    def logs_of(self, digest: str) -> list[Act]:
        """The acts whose log these bytes are."""
        return [act for act in self.acts.values() if (act.record.get("logs") or {}).get("digest") == digest]

    def _logs(self) -> set[str]:
        return {str((act.record.get("logs") or {}).get("digest", "")) for act in self.acts.values()}

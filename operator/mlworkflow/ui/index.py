"""The runs of a place in memory, as rows: filtered, sorted, counted and paged without reading any of them again.

What keeps it up to date puts rows in and takes them out; it holds nothing but rows, some hundred bytes for each run. Callers: the sites, `app`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mlworkflow.runs.errors import Usage
from mlworkflow.ui.answers import Problem, RunRow, RunsPage
from mlworkflow.ui.changes import Changes
from mlworkflow.ui.shown import now

MOST = 500
"""Rows of a page."""
Key = tuple[Any, ...]

_SORTS: dict[str, Callable[[RunRow], Key]] = {
    "started": lambda row: (row.started or row.created or row.finished or 0,),
    "finished": lambda row: (row.finished or 0,),
    "name": lambda row: (row.id, row.namespace),
    "duration": lambda row: ((row.finished or now()) - row.started if row.started else -1,),
}


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for: see `answers`. Raises Usage for a sort that there is not."""

    namespace: str = ""
    phases: frozenset[str] = frozenset()
    text: str = ""
    sort: str = "-started"
    cursor: str = ""
    limit: int = 100

    def __post_init__(self) -> None:
        if self.sort.removeprefix("-") not in _SORTS:
            raise Usage(
                f"sort={self.sort}: there is no such order", f"there are: {', '.join(_SORTS)}, each also with -"
            )


@dataclass(frozen=True, slots=True)
class _Entry:
    row: RunRow
    text: str


class Index:
    """`loading` and `problems` are told with every page."""

    def __init__(self) -> None:
        self.changes = Changes()
        self.is_loading = True
        self.problems: dict[str, Problem] = {}
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._sorted: dict[str, tuple[int, list[_Entry]]] = {}

    def put(self, row: RunRow) -> None:
        key = (row.namespace, row.uid)
        before = self._entries.get(key)
        if before is None or before.row != row:
            words = f"{row.id} {row.namespace} {row.message} {_words(row.params)}"
            self._entries[key] = _Entry(row, words.lower())
            self.changes.tell()

    def drop(self, namespace: str, uid: str) -> None:
        if self._entries.pop((namespace, uid), None):
            self.changes.tell()

    def keep_only(self, uids: Iterable[str], namespace: str | None = None) -> None:
        """Take out what is not among these, of a namespace or of all."""
        known = set(uids)
        for own, uid in [key for key in self._entries if key[1] not in known and namespace in (None, key[0])]:
            self.drop(own, uid)

    def loaded(self) -> None:
        """All that there was to begin with is in."""
        if self.is_loading:
            self.is_loading = False
            self.changes.tell()

    def trouble(self, where: str, problem: Problem | None) -> None:
        """What keeps a part of the runs from being seen; None: nothing any more."""
        if self.problems.get(where) != problem:
            self.problems.pop(where, None)
            if problem:
                self.problems[where] = problem
            self.changes.tell()

    def row(self, namespace: str, name: str) -> RunRow | None:
        """By id or uid; locally also the last run of a workflow."""
        if entry := self._entries.get((namespace, name)):
            return entry.row
        return next(
            (one.row for (own, _), one in self._entries.items() if own == namespace and one.row.id == name), None
        )

    def namespaces(self) -> list[str]:
        return sorted({namespace for namespace, _ in self._entries})

    def page(self, query: Query) -> RunsPage:
        words = query.text.lower().split()
        fitting = [
            entry.row
            for entry in self._in_order(query.sort)
            if query.namespace in ("", entry.row.namespace) and all(word in entry.text for word in words)
        ]
        phases = Counter(str(row.phase) for row in fitting)
        if query.phases:
            fitting = [row for row in fitting if row.phase in query.phases]
        begin = _after(fitting, query) if query.cursor else 0
        limit = min(max(query.limit, 1), MOST)
        rows = fitting[begin : begin + limit]
        return RunsPage(
            rows=rows,
            next=_cursor(rows[-1], query.sort) if rows and begin + limit < len(fitting) else "",
            total=len(fitting),
            phases=dict(phases),
            namespaces=self.namespaces(),
            is_loading=self.is_loading,
            problems=list(self.problems.values()),
        )

    def _in_order(self, sort: str) -> list[_Entry]:
        count, entries = self._sorted.get(sort, (-1, []))
        if count != self.changes.count or "duration" in sort:  # which grows by itself
            key = _SORTS[sort.removeprefix("-")]
            entries = sorted(
                self._entries.values(), key=lambda entry: (*key(entry.row), entry.row.uid), reverse=sort.startswith("-")
            )
            self._sorted[sort] = (self.changes.count, entries)
        return entries


def _words(params: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in params.items())


def _cursor(row: RunRow, sort: str) -> str:
    return json.dumps([*_SORTS[sort.removeprefix("-")](row), row.uid], separators=(",", ":"))


def _after(rows: list[RunRow], query: Query) -> int:
    """Where the page begins whose last row before it is told by the cursor, whether that row is still there or not."""
    try:
        last = tuple(json.loads(query.cursor))
        uid = str(last[-1])
    except (ValueError, IndexError, TypeError):
        raise Usage("cursor: this is none that a page has given", "leave it out for the first page") from None
    for place, row in enumerate(rows):
        if row.uid == uid:
            return place + 1
    key, is_down = _SORTS[query.sort.removeprefix("-")], query.sort.startswith("-")
    try:
        for place, row in enumerate(rows):
            own = (*key(row), row.uid)
            if own < last if is_down else own > last:
                return place
    except TypeError:
        raise Usage("cursor: it is of another order", "leave it out for the first page") from None
    return len(rows)

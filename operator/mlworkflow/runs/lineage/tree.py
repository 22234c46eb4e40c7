"""A lineage as a tree for a terminal: what it was made from, and what was made with it. What was shown once is not unfolded again."""

from __future__ import annotations

import io
import shutil
import sys

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from mlworkflow.runs.lineage import words
from mlworkflow.runs.lineage.graph import CACHED, MADE, PART, USED, Graph

MOST = 20
"""Branches of a kind that are shown of one node."""
_ABOVE = " …above"


def text(graph: Graph) -> str:
    """As it is printed: in colour, and as wide as the terminal, where there is one."""
    file = io.StringIO()
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else 10_000
    Console(file=file, force_terminal=is_terminal, width=width, highlight=False).print(_Shown(graph).tree(), crop=False)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


class _Shown:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._called = words.runs(graph.acts.values())
        self._seen: set[str] = set()

    def tree(self) -> Tree:
        digest = self._graph.digest
        root = Tree(Text(words.artifact(self._graph, digest), style="bold"))
        self._back(root, digest)
        if users := [arrow for arrow in self._graph.out_of(digest) if arrow.kind == USED]:
            used = root.add("used by")
            self._seen.clear()
            for arrow in users[:MOST]:
                self._on(used, arrow.target, arrow.name)
            self._more(used, len(users))
        return root

    def _back(self, branch: Tree, digest: str, user: str = "") -> None:
        """Below an artifact: who made it."""
        if maker := self._graph.makers.get((digest, user)):
            self._act(branch, maker, "made by ")

    def _act(self, branch: Tree, at: str, how: str) -> None:
        """An act, with what it ran and what it had."""
        act = self._graph.acts[at]
        label = f"{how}{words.act(act, self._called)}"
        if at in self._seen:
            branch.add(Text(label + _ABOVE))
            return
        self._seen.add(at)
        node = branch.add(Text(label))
        into = self._graph.into(at)
        origins = [arrow.source for arrow in into if arrow.kind == CACHED]
        for origin in origins:
            self._act(node, origin, "whose result is that of ")
        if not origins:
            for fact in words.facts(act):
                node.add(Text(fact, style="dim"))
        used = [arrow for arrow in into if arrow.kind == USED]
        for arrow in used[:MOST]:
            shown = f"{arrow.name}: {words.artifact(self._graph, arrow.source, at)}"
            self._back(node.add(Text(shown)), arrow.source, at)
        self._more(node, len(used))
        parts = [arrow.source for arrow in into if arrow.kind == PART]
        for part in parts[:MOST]:
            self._act(node, part, "of ")
        self._more(node, len(parts))

    def _on(self, branch: Tree, at: str, name: str) -> None:
        """Who used something, and what came of it."""
        act = self._graph.acts[at]
        label = f"{words.act(act, self._called)}, as {name}" if name else words.act(act, self._called)
        if at in self._seen:
            branch.add(Text(label + _ABOVE))
            return
        self._seen.add(at)
        node = branch.add(Text(label))
        for made in [arrow for arrow in self._graph.out_of(at) if arrow.kind == MADE]:
            left = node.add(Text(f"{made.name}: {words.artifact(self._graph, made.target)}"))
            on = [arrow for arrow in self._graph.out_of(made.target) if arrow.kind == USED]
            for arrow in on[:MOST]:
                self._on(left, arrow.target, arrow.name)
            self._more(left, len(on))

    def _more(self, branch: Tree, count: int) -> None:
        if count > MOST:
            branch.add(Text(f"and {count - MOST} more", style="dim"))

"""A lineage in the language of Graphviz. Pure."""

from __future__ import annotations

import json

from mlworkflow.runs.lineage import words
from mlworkflow.runs.lineage.graph import Graph


def dot(graph: Graph) -> str:
    """A digraph from left to right: boxes are steps, ovals are artifacts."""
    called = words.runs(graph.acts.values())
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [fontname="Helvetica", fontsize=10];']
    for digest in graph.artifacts:
        bold = ", penwidth=2" if digest == graph.digest else ""
        dashed = ", style=dashed" if digest in graph.outside else ""
        lines.append(f"  {_text(digest)} [shape=ellipse, label={_text(words.artifact(graph, digest))}{bold}{dashed}];")
    for at, act in graph.acts.items():
        lines.append(f"  {_text(at)} [shape=box, label={_text(words.act(act, called))}];")
    for arrow in graph.arrows:
        lines.append(f"  {_text(arrow.source)} -> {_text(arrow.target)} [label={_text(arrow.name or arrow.kind)}];")
    return "\n".join([*lines, "}"])


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

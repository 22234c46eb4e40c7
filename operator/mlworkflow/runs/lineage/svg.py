"""A lineage as a picture that needs nothing else: an SVG with its nodes in layers from left to right. Pure.

Layers are longest paths from what comes from outside; in each layer nodes are ordered by the middle of their neighbours, back and forth a few
times, so that few arrows cross. An arrow that would close a circle (a step that leaves the bytes it was given) is drawn and does not count.
"""

from __future__ import annotations

from collections import defaultdict
from html import escape
from typing import TypeAlias

from mlworkflow.runs.lineage import words
from mlworkflow.runs.lineage.graph import Graph

SWEEPS = 8
_CHARACTER, _LINE, _PAD = 6.2, 14, 8
_GAP, _BETWEEN = 90, 18
_STYLE = (
    "text{font:10px Helvetica,Arial,sans-serif;fill:#222}.name{font-size:8px;fill:#666}"
    "rect{stroke:#555;fill:#fff}.step{fill:#e8eef7}.outside{stroke-dasharray:4 3}.asked{stroke-width:2.5;stroke:#b04a00}"
    "path{fill:none;stroke:#999}"
)

Box: TypeAlias = tuple[float, float, float, float]
"""x, y, width, height."""


def svg(graph: Graph) -> str:
    """The picture."""
    called = words.runs(graph.acts.values())
    labels = {digest: _artifact(graph, digest) for digest in graph.artifacts}
    labels |= {
        at: [words.act(act, called), *(fact[:44] for fact in words.facts(act)[:3])] for at, act in graph.acts.items()
    }
    layers = _ordered(graph, _layers(graph))
    boxes = _placed(layers, labels)
    width = max((x + w for x, _, w, _ in boxes.values()), default=0) + _PAD
    height = max((y + h for _, y, _, h in boxes.values()), default=0) + _PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">',
        f"<title>{escape(words.artifact(graph, graph.digest))}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L8 4L0 8z" style="fill:#999;stroke:none"/></marker></defs>',
        *_arrows(graph, boxes),
        *(_box(graph, node, labels[node], box) for node, box in boxes.items()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _layers(graph: Graph) -> dict[str, int]:
    """Each node's layer. Arrows back to a node that is still being looked at are left out."""
    before = defaultdict(list)
    for arrow in graph.arrows:
        if arrow.source != arrow.target:
            before[arrow.target].append(arrow.source)
    layer: dict[str, int] = {}
    for start in [*graph.artifacts, *graph.acts]:
        stack, under_way = [(start, iter(before[start]))], {start}
        while stack:
            node, sources = stack[-1]
            source = next((each for each in sources if each not in layer and each not in under_way), None)
            if source is not None:
                under_way.add(source)
                stack.append((source, iter(before[source])))
                continue
            stack.pop()
            layer.setdefault(node, 1 + max((layer[each] for each in before[node] if each in layer), default=-1))
    return layer


def _ordered(graph: Graph, layer: dict[str, int]) -> list[list[str]]:
    layers: list[list[str]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for node, at in layer.items():
        layers[at].append(node)
    near: dict[str, list[str]] = defaultdict(list)
    for arrow in graph.arrows:
        near[arrow.source].append(arrow.target)
        near[arrow.target].append(arrow.source)
    place = {node: index for each in layers for index, node in enumerate(each)}
    for sweep in range(SWEEPS):
        for each in layers if sweep % 2 == 0 else reversed(layers):
            middle = {
                node: sum(place[other] for other in near[node]) / len(near[node]) if near[node] else place[node]
                for node in each
            }
            each.sort(key=lambda node: (middle[node], place[node]))
            place.update({node: index for index, node in enumerate(each)})
    return layers


def _placed(layers: list[list[str]], labels: dict[str, list[str]]) -> dict[str, Box]:
    """x, y, width, height of each node's box; layers stand one beside the other, each around the same middle."""
    size = {
        node: (max(map(len, lines)) * _CHARACTER + 2 * _PAD, len(lines) * _LINE + _PAD)
        for node, lines in labels.items()
    }
    tall = [sum(size[node][1] + _BETWEEN for node in each) for each in layers]
    boxes: dict[str, Box] = {}
    x = float(_PAD)
    for each, height in zip(layers, tall, strict=True):
        y = _PAD + (max(tall) - height) / 2
        for node in each:
            boxes[node] = (x, y, *size[node])
            y += size[node][1] + _BETWEEN
        x += max(size[node][0] for node in each) + _GAP
    return boxes


def _arrows(graph: Graph, boxes: dict[str, Box]) -> list[str]:
    drawn = []
    for arrow in graph.arrows:
        (x1, y1, w1, h1), (x2, y2, _, h2) = boxes[arrow.source], boxes[arrow.target]
        start, end = (x1 + w1, y1 + h1 / 2), (x2, y2 + h2 / 2)
        bend = max(40.0, abs(end[0] - start[0]) / 2)
        drawn.append(
            f'<path marker-end="url(#a)" d="M{start[0]:.0f} {start[1]:.0f}C{start[0] + bend:.0f} {start[1]:.0f} '
            f'{end[0] - bend:.0f} {end[1]:.0f} {end[0]:.0f} {end[1]:.0f}"/>'
        )
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 - 2)
        drawn.append(
            f'<text class="name" text-anchor="middle" x="{middle[0]:.0f}" y="{middle[1]:.0f}">{escape(arrow.name or arrow.kind)}</text>'
        )
    return drawn


def _box(graph: Graph, node: str, lines: list[str], box: Box) -> str:
    x, y, width, height = box
    kinds = {"step": node in graph.acts, "outside": node in graph.outside, "asked": node == graph.digest}
    named = " ".join(kind for kind, holds in kinds.items() if holds)
    texts = "".join(
        f'<text x="{x + _PAD:.0f}" y="{y + _LINE * (number + 1):.0f}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    round_ = 0 if node in graph.acts else 9
    return (
        f'<g><title>{escape(node)}</title><rect class="{named}" rx="{round_}" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}"/>{texts}</g>'
    )


def _artifact(graph: Graph, digest: str) -> list[str]:
    name = graph.names.get(digest, "")
    return (
        [name, words.artifact(graph, digest).replace(f" {name} ", " ", 1)] if name else [words.artifact(graph, digest)]
    )

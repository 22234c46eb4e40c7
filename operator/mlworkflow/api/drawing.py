"""A workflow as a picture: its steps in columns, each after what it waits for. Pure; names are escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from mlworkflow.core import validate
from mlworkflow.core.errors import SpecError
from mlworkflow.core.kinds import KINDS
from mlworkflow.core.model import Workflow
from mlworkflow.runs.lint import named

_CHARACTER, _HEIGHT, _PAD, _GAP, _BETWEEN, _DIP = 7.0, 38, 10, 46, 12, 44
_STYLE = (
    "text{font:12px Helvetica,Arial,sans-serif;fill:#1f2328}.kind{font-size:10px;fill:#656d76}"
    "rect{fill:#f6f8fa;stroke:#656d76}path{fill:none;stroke:#8c959f;stroke-width:1.2}"
)


def drawing(resource: Mapping[str, Any]) -> str:
    """As SVG. What cannot run is drawn too, without what it waits for."""
    steps = [step for step in (resource.get("spec") or {}).get("steps") or [] if isinstance(step, Mapping)]
    labels = {str(step.get("name", "")): _kind(step) for step in steps}
    waits = _waits(resource, labels)
    columns: dict[str, int] = {}
    for name in labels:
        _place(name, waits, columns)
    boxes: dict[str, tuple[float, float, float]] = {}
    x = float(_PAD)
    for number in range(max(columns.values(), default=-1) + 1):
        members = [name for name in labels if columns[name] == number]
        width = max(len(name) for name in [*members, *(labels[name] for name in members)]) * _CHARACTER + 2 * _PAD
        boxes |= {name: (x, _PAD + row * (_HEIGHT + _BETWEEN), width) for row, name in enumerate(members)}
        x += width + _GAP
    wide = max((x + width for x, _, width in boxes.values()), default=0.0) + _PAD
    high = max((y + _HEIGHT for _, y, _ in boxes.values()), default=0.0) + _PAD + _DIP / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" width="{wide:.0f}" height="{high:.0f}" role="img">',
        f"<title>{escape(str((resource.get('metadata') or {}).get('name', 'workflow')))}</title><style>{_STYLE}</style>",
        '<defs><marker id="m" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#8c959f;stroke:none"/></marker></defs>',
        *(
            _arrow(boxes[source], boxes[name], columns[name] - columns[source] > 1)
            for name, sources in waits.items()
            for source in sources
        ),
        *(_box(name, labels[name], box) for name, box in boxes.items()),
        "</svg>",
    ]
    return "\n".join(parts)


def _kind(step: Mapping[str, Any]) -> str:
    kind = next((name for name in KINDS if name in step), "?")
    inner = step.get("steps")
    words = f"{len(inner)} steps" if isinstance(inner, list) else kind
    return f"{words}, for each" if "forEach" in step else words


def _waits(resource: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, list[str]]:
    """Step → the steps that it waits for, of those that somebody wrote."""
    try:
        main = validate.check(Workflow.parse(named(resource))).main
        return {name: [each for each in main.parents(name) if each in names] for name in names}
    except (SpecError, KeyError):
        return {name: [] for name in names}


def _place(name: str, waits: Mapping[str, list[str]], columns: dict[str, int]) -> None:
    """A column for a step and for all that it waits for; there is no circle in these."""
    pending = [name]
    while pending:
        missing = [each for each in waits[pending[-1]] if each not in columns]
        if missing:
            pending += missing
        else:
            last = pending.pop()
            columns[last] = 1 + max((columns[each] for each in waits[last]), default=-1)


def _arrow(source: tuple[float, float, float], target: tuple[float, float, float], is_far: bool) -> str:
    """One that passes other columns goes below their boxes."""
    x1, y1, x2, y2 = source[0] + source[2], source[1] + _HEIGHT / 2, target[0], target[1] + _HEIGHT / 2
    bend = max(24.0, (x2 - x1) / 2)
    dip = _DIP if is_far else 0
    bends = f"{x1 + bend:.0f} {y1 + dip:.0f} {x2 - bend:.0f} {y2 + dip:.0f}"
    return f'<path marker-end="url(#m)" d="M{x1:.0f} {y1:.0f}C{bends} {x2:.0f} {y2:.0f}"/>'


def _box(name: str, kind: str, box: tuple[float, float, float]) -> str:
    x, y, width = box
    return (
        f'<g><rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_HEIGHT}" rx="5"/>'
        f'<text x="{x + _PAD:.0f}" y="{y + 16:.0f}">{escape(name)}</text>'
        f'<text class="kind" x="{x + _PAD:.0f}" y="{y + 30:.0f}">{escape(kind)}</text></g>'
    )

"""How runs look in a notebook. Whatever was written by somebody is escaped."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from mlworkflow.core.duration import human
from mlworkflow.core.state import Phase
from mlworkflow.core.status import moment
from mlworkflow.runs.rows import Row, rows
from mlworkflow.runs.run import Run

_COLOURS = {
    Phase.SUCCEEDED: "#1a7f37",
    Phase.FAILED: "#cf222e",
    Phase.RUNNING: "#0969da",
    Phase.CANCELLED: "#9a6700",
}
_CELL = 'style="text-align:left;vertical-align:top;padding:2px 12px 2px 0"'


def page(run: Run) -> str:
    """A run as a table: a line per step, as `mlwf get` has them."""
    lines = "".join(map(_line, rows(run)))
    message = str(run.status.get("message", "")).strip()
    head = (
        f"<b>{escape(run.id)}</b> {_phase(run.phase)} {escape(str(run.status.get('progress', '')))} {_took(run.status)}"
    )
    return (
        f"<div>{head}{_pre(message) if message else ''}"
        f"<table><thead><tr>{''.join(f'<th {_CELL}>{name}</th>' for name in ('step', 'phase', 'time', ''))}</tr></thead>"
        f"<tbody>{lines}</tbody></table></div>"
    )


class Shown:
    """Something that is shown in a notebook, and again in the same place whenever it has changed. Where there is no notebook nothing is."""

    def __init__(self, html: Callable[[], str]) -> None:
        self._html = html
        self._handle: Any = None

    def update(self) -> None:
        """As it is now."""
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        if shell is None or not hasattr(shell, "kernel"):
            return
        display = importlib.import_module("IPython.display")  # where there is a shell there is this too
        if self._handle is None:
            self._handle = display.display(display.HTML(self._html()), display_id=True)
        else:
            self._handle.update(display.HTML(self._html()))


def _line(row: Row) -> str:
    name = "&nbsp;" * 4 * row.depth + escape(row.name)
    if row.task is None:
        return f'<tr><td {_CELL} colspan="4"><i>{name}</i></td></tr>'
    phase = Phase(row.task.get("phase") or Phase.PENDING)
    reason = str(row.task.get("reason", ""))
    words = [row.count, f"{reason}:" if reason else "", "cached" if row.task.get("cached") else ""]
    first, *log = str(row.task.get("message", "")).splitlines() or [" ".join(_outputs(row.task))]
    told = escape(" ".join(word for word in (*words, first) if word))
    cells = (name, _phase(phase), _took(row.task), f"{told}{_pre(chr(10).join(log))}" if log else told)
    return f"<tr>{''.join(f'<td {_CELL}>{cell}</td>' for cell in cells)}</tr>"


def _pre(text: str) -> str:
    return f'<pre style="margin:2px 0">{escape(text)}</pre>'


def _took(status: Mapping[str, Any]) -> str:
    started, finished = moment(status.get("startedAt") or ""), moment(status.get("finishedAt") or "")
    return "" if started is None else human(max(0.0, (finished or time.time()) - started))


def _phase(phase: Phase) -> str:
    return f'<span style="color:{_COLOURS.get(phase, "#656d76")}">{escape(str(phase))}</span>'


def _outputs(task: Mapping[str, Any]) -> list[str]:
    """The numbers that a step left, the first few."""
    numbers = {name: value for name, value in (task.get("outputs") or {}).items() if isinstance(value, int | float)}
    return [f"{name}={value:.4g}" for name, value in list(numbers.items())[:4]]

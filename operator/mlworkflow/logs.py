"""The operator's log: text for people, or a JSON object a line for what collects logs.

A call says what it is about with a `Subject` among its arguments, and gives facts as ``name=%s`` in its words. Both become fields in JSON, so that what is known
of a line is never to be parsed out of its text.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

from mlworkflow.core.subject import Subject

TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_CONVERSION = re.compile(r"(?:(\w+)=)?%[-#0 +]*\d*(?:\.\d+)?([a-z%])")
_NAMES = {"task": "step"}
"""Fields under the name that all lines have for them."""


def configure(level: str, form: str) -> None:
    """`form` is ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Json() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level, handlers=[handler])


class Json(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `message`, then what is known, and the traceback of an error as `error`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if not isinstance(record.args, tuple) or not isinstance(record.msg, str):
        return facts
    names = [name for name, letter in _CONVERSION.findall(record.msg) if letter != "%"]
    for name, value in zip(names, record.args, strict=False):
        if isinstance(value, Subject):
            known = {"namespace": value.namespace, "workflow": value.workflow, "uid": value.uid, "step": value.step}
            facts |= {field: text for field, text in known.items() if text}
        elif name and value not in ("", "-", None):
            facts[_NAMES.get(name, name)] = value if isinstance(value, int | float | bool) else str(value)
    return facts

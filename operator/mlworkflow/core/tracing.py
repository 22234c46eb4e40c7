"""The ids of a workflow's trace, which follow from what they are of: whoever makes a span, and however often, makes the same. Pure.

A trace is a workflow; its root is a run of it (each `rerun` another), a span is an attempt of a task.
"""

from __future__ import annotations

import hashlib

VARIABLE = "TRACEPARENT"
"""Of the environment of a step: the span that it is, as W3C's Trace Context has it."""


def trace_id(uid: str) -> str:
    """32 hexadecimal digits."""
    return _digits(f"trace/{uid}", 32)


def root_id(uid: str, rerun: str = "") -> str:
    """16 hexadecimal digits: of the span of a whole run."""
    return _digits(f"run/{uid}/{rerun}", 16)


def span_id(uid: str, task: str, attempt: int) -> str:
    """16 hexadecimal digits: of the span of an attempt."""
    return _digits(f"task/{uid}/{task}/{attempt}", 16)


def traceparent(uid: str, task: str, attempt: int) -> str:
    """What a step is given, to have its own spans below that of its attempt."""
    return f"00-{trace_id(uid)}-{span_id(uid, task, attempt)}-01"


def _digits(what: str, count: int) -> str:
    return hashlib.sha256(what.encode()).hexdigest()[:count]

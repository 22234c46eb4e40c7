"""A log that is longer than what is kept of it says so."""

from __future__ import annotations

from mlworkflow.engine import logs


def test_a_short_log_is_kept_as_it_is() -> None:
    assert logs.first(b"abc", 3) == logs.last(b"abc", 3) == b"abc"


def test_a_long_one_says_that_something_is_missing() -> None:
    text = b"a" * 1024 + b"b" * 1024
    note = b"[... mlworkflow: truncated, this log is longer than 1 KiB ...]\n"
    assert logs.first(text, 1024) == b"a" * 1024 + b"\n" + note
    assert logs.last(text, 1024) == note + b"b" * 1024

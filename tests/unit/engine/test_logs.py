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


def test_a_log_that_comes_in_pieces_keeps_both_its_ends() -> None:
    short, long = logs.Both(1024, 16), logs.Both(1024, 16)
    for piece in (b"a" * 1000, b"b" * 24):
        short.add(piece)
    assert short.bytes() == b"a" * 1000 + b"b" * 24
    for piece in (b"a" * 1000, b"b" * 30, *[b"c" * 10] * 10, b"last"):
        long.add(piece)
    note = b"\n[... mlworkflow: truncated, this log is longer than 1 KiB ...]\n"
    assert long.bytes() == b"a" * 1000 + b"b" * 24 + note + b"c" * 12 + b"last"

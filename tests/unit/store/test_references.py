"""Which artifacts a document refers to, and a set of a million of them in little memory."""

from __future__ import annotations

import hashlib

import msgspec
from mlworkflow.store.marks import Marks
from mlworkflow.store.references import references


def digest(n: int) -> str:
    return f"sha256:{hashlib.sha256(b'%d' % n).hexdigest()}"


def test_every_text_that_holds_a_digest_is_a_reference() -> None:
    document = {
        "a": [digest(1), {"b": f"see {digest(2)}!"}],
        digest(3): None,
        "c": digest(4)[:-1],
        "d": digest(5).upper(),
    }
    found = references(msgspec.json.encode(document))
    assert found.digests == found.untyped == found.rest == {digest(1), digest(2), digest(3)}


def test_a_record_says_what_came_out_what_went_in_and_how_long_it_is_kept() -> None:
    record = {
        "workflow": "w",
        "inputs": {"x": digest(1)},
        "outputs": {
            "model": {"digest": digest(2), "size": 1, "type": "file"},
            "all": {"digest": digest(3), "size": 1, "type": "collection"},
        },
        "keep": {"model": "30d"},
        "logs": {"digest": digest(4), "size": 1, "type": "file"},
    }
    found = references(msgspec.json.encode(record))
    assert found.digests == {digest(n) for n in (1, 2, 3, 4)}
    assert found.outputs == {"model": digest(2), "all": digest(3)}
    assert (found.collections, found.rest, found.untyped) == ({digest(3)}, {digest(4)}, {digest(1)})
    assert (found.keep, found.workflow) == ({"model": "30d"}, "w")


def test_what_is_no_json_refers_all_the_same() -> None:
    found = references(f'{{"half": "{digest(1)}"'.encode())
    assert found.digests == found.untyped == found.rest == {digest(1)}


def test_marks_forget_none_and_take_no_other() -> None:
    marks = Marks()
    assert all(marks.add(digest(n)) for n in range(150_000))
    assert not any(marks.add(digest(n)) for n in range(0, 150_000, 7))
    assert len(marks) == 150_000
    assert all(digest(n) in marks for n in range(150_000))
    assert not any(digest(n) in marks for n in range(150_000, 160_000))

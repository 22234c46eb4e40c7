"""Manifests of collections: canonical bytes, and back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlworkflow.core.collection import Member, decode, encode, index, paths
from mlworkflow.core.values import ArtifactRef

DIGEST = "sha256:" + "0" * 64
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ARTIFACTS = st.none() | st.builds(
    ArtifactRef, st.just(DIGEST), st.integers(0, 2**40), st.sampled_from(["file", "directory", "collection"])
)


def test_the_bytes_are_the_contract_s() -> None:
    members = [
        Member(ArtifactRef(DIGEST, 3, "file"), {"b": 1, "a": "ü🙂"}, "Succeeded"),
        Member(None, None, "Failed"),
    ]
    assert (
        encode(members)
        == (
            f'{{"items":[{{"artifact":{{"digest":"{DIGEST}","size":3,"type":"file"}},"item":{{"a":"ü🙂","b":1}},"phase":"Succeeded"}},'
            '{"artifact":null,"item":null,"phase":"Failed"}]}'
        ).encode()
    )
    assert encode([]) == b'{"items":[]}'


def test_as_a_directory() -> None:
    left = Member(ArtifactRef(DIGEST, 3), {"a": "ü"}, "Succeeded")
    members = [left, Member(None, 2, "Failed")]
    assert paths(members) == ["0000", None]
    assert json.loads(index(members)) == [
        {"index": 0, "item": {"a": "ü"}, "phase": "Succeeded", "path": "0000"},
        {"index": 1, "item": 2, "phase": "Failed", "path": None},
    ]
    assert (paths([left] * 10_000)[-1], paths([left] * 10_001)[0]) == ("9999", "00000")
    assert paths([]) == []


@given(st.lists(st.builds(Member, ARTIFACTS, JSON, st.sampled_from(["Succeeded", "Failed"])), max_size=4))
def test_what_was_encoded_is_decoded(members: list[Member]) -> None:
    assert list(decode(encode(members))) == members


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"items":[{}]}', b'{"items":[{"artifact":{"digest":1},"item":1,"phase":""}]}']
)
def test_what_is_no_manifest(data: Any) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(data)

"""Keys: what they look like, and what never becomes part of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.errors import InvalidKey
from mlworkflow.store.layout import (
    AttemptKey,
    cas_key,
    is_digest,
    parse_cas_key,
    parse_record_key,
    record_key,
    records_prefix,
)

HEX = "ab" + "c" * 62


def test_the_layout_is_the_contract_s() -> None:
    assert cas_key("ml", f"sha256:{HEX}") == f"ml/cas/sha256/ab/{'c' * 62}"
    assert record_key("ml", "uid", "tune/3", 0) == "ml/runs/uid/tune/3/0.json"
    assert records_prefix("ml", "uid") == "ml/runs/uid/"
    assert parse_cas_key(cas_key("ml", f"sha256:{HEX}")) == ("ml", f"sha256:{HEX}")
    for key in (AttemptKey("ml", "uid", "tune/3", 0), AttemptKey("ml", "uid", "tune", 12)):
        assert parse_record_key(record_key(*key)) == key
    assert is_digest(f"sha256:{HEX}")
    assert not is_digest(HEX)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a/b", "../x", "A", "a_b", "-a", "a-", "a\n", "a\0", "x" * 64, "ä", " a"]
)
def test_what_is_no_namespace(text: str) -> None:
    with pytest.raises(InvalidKey):
        cas_key(text, f"sha256:{HEX}")
    with pytest.raises(InvalidKey):
        record_key(text, "uid", "train", 0)


@pytest.mark.parametrize(
    "text", ["", "..", "a/..", "a/../b", "a/b", "a//1", "/a", "a/", "a/1/2", "a/-1", "a/01", "a\n", "A", "a/1\n"]
)
def test_what_is_no_task(text: str) -> None:
    with pytest.raises(InvalidKey):
        record_key("ml", "uid", text, 0)


@pytest.mark.parametrize(
    "text", ["", HEX, f"sha256:{HEX}0", f"sha256:{HEX[1:]}", f"sha256:{HEX.upper()}", f"sha256:{HEX}\n", f"md5:{HEX}"]
)
def test_what_is_no_digest(text: str) -> None:
    with pytest.raises(InvalidKey):
        cas_key("ml", text)


@pytest.mark.parametrize("attempt", [-1, 10**9])
def test_what_is_no_attempt(attempt: int) -> None:
    with pytest.raises(InvalidKey):
        record_key("ml", "uid", "train", attempt)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.integers())
def test_no_text_reaches_another_namespace(namespace: str, uid: str, task: str, attempt: int) -> None:
    try:
        key = record_key(namespace, uid, task, attempt)
    except InvalidKey:
        return
    assert key.startswith(f"{namespace}/runs/{uid}/")
    assert ".." not in key.split("/")
    assert parse_record_key(key) == (namespace, uid, task, attempt)


@pytest.mark.parametrize("key", ["", "/", "a//b", "../a", "a/../../b", "a/.", "/a", "a/\0", ".tmp/x"])
def test_a_folder_store_stays_in_its_folder(directory_store: DirectoryStore, key: str) -> None:
    for call in (
        directory_store.stat,
        directory_store.read,
        directory_store.delete,
        lambda k: directory_store.write_bytes(k, b""),
    ):
        with pytest.raises(InvalidKey):
            call(key)

"""Keys: what they look like, and what never becomes part of one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.errors import InvalidKey
from mlworkflow.store.layout import (
    AttemptKey,
    CheckpointKey,
    Line,
    LogKey,
    PriorKey,
    ProvenanceKey,
    SignatureKey,
    TrialKey,
    archive_prefix,
    cas_key,
    checkpoint_key,
    is_workflow_key,
    line_key,
    log_key,
    parse_line_key,
    parse_run_key,
    prior_key,
    provenance_key,
    record_key,
    records_prefix,
    signature_key,
    trial_key,
    workflow_key,
)

HEX = "ab" + "c" * 62


def test_the_layout_is_the_contract_s() -> None:
    assert cas_key("ml", f"sha256:{HEX}") == f"ml/cas/sha256/ab/{'c' * 62}"
    assert record_key("ml", "uid", "tune/3", 0) == "ml/runs/uid/tune/3/0.json"
    assert records_prefix("ml", "uid") == "ml/runs/uid/"
    assert record_key("ml", "uid", "fold~1/0.inner/2.train", 7) == "ml/runs/uid/fold~1/0/_inner/2/_train/7.json"
    assert log_key("ml", "uid", "train", 2) == "ml/runs/uid/train/2.log.json"
    assert checkpoint_key("ml", "uid", "fold/1.train") == "ml/runs/uid/fold/1/_train/checkpoint.json"
    assert trial_key("ml", "uid", "tune/3") == "ml/runs/uid/tune/3/trial.json"
    assert signature_key("ml", "uid", "tune/3", 1, "model") == "ml/runs/uid/tune/3/1.model.sig.json"
    assert provenance_key("ml", "uid") == "ml/runs/uid/provenance.json"
    assert workflow_key("ml", "uid") == "ml/runs/uid/workflow.json"
    assert is_workflow_key("ml/runs/uid/workflow.json")
    assert not is_workflow_key("ml/runs/uid/workflow/0.json")
    line = Line("digits.2", 1_700_000_000_250, "uid", "Failed")
    assert line_key("ml", line) == "ml/archive/digits/_2/1700000000250/uid/Failed.json"
    assert line_key("ml", line).startswith(archive_prefix("ml", "digits"))
    assert parse_line_key(line_key("ml", line)) == line
    assert parse_run_key("ml/runs/uid/provenance.json") == ProvenanceKey("ml", "uid")
    assert parse_run_key("ml/runs/uid/provenance/0.json") == AttemptKey("ml", "uid", "provenance", 0)


TASKS = st.from_regex(
    r"\A[a-z0-9]([-a-z0-9]{0,3}[a-z0-9])?(~[1-9][0-9]?)?(/(0|[1-9][0-9]?)){0,3}"
    r"(\.[a-z0-9]([-a-z0-9]{0,3}[a-z0-9])?(~[1-9])?(/(0|[1-9])){0,2}){0,3}\Z"
)


@given(TASKS, st.integers(0, 10**9 - 1))
@example("a/0.json", 0)
@example("a/0.log.json", 0)
@example("3.5", 0)
@example(".".join(["x" * 63] * 8), 0)
def test_every_key_is_read_back(task: str, attempt: int) -> None:
    key, where = AttemptKey("ml", "uid", task, attempt), CheckpointKey("ml", "uid", task)
    assert parse_run_key(record_key(*key)) == key
    assert parse_run_key(log_key(*key)) == LogKey(key)
    assert parse_run_key(signature_key(*key, "log")) == SignatureKey(key, "log")
    assert parse_run_key(checkpoint_key(*where)) == where
    assert parse_run_key(trial_key(*where)) == TrialKey(*where)
    assert parse_run_key(prior_key(*where)) == PriorKey(*where)
    folders = record_key(*key).split("/")[:-1]
    assert not any("." in folder for folder in folders)
    assert all(0 < len(folder) < 128 for folder in folders)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a/b", "../x", "A", "a_b", "-a", "a-", "a\n", "a\0", "x" * 64, "ä", " a"]
)
def test_what_is_no_namespace(text: str) -> None:
    with pytest.raises(InvalidKey):
        cas_key(text, f"sha256:{HEX}")
    with pytest.raises(InvalidKey):
        record_key(text, "uid", "train", 0)


@pytest.mark.parametrize(
    "text", ["", "..", "a/..", "a/../b", "a/b", "a//1", "/a", "a/", "a/-1", "a/01", "a\n", "A", "a/1\n",
             "a..b", ".a", "a.", "a./1", "a/.b", "a/1.", "a_b", "a/_b", "a~", "a~0", "a~10000", "a/1~1", "~1", "a~1~2", "a-", "-a",
             "a.-b", "x" * 64, ".".join(["x" * 63] * 8) + ".", ".".join(["x" * 63] * 8) + ".x"]
)  # fmt: skip
def test_what_is_no_task(text: str) -> None:
    for call in (lambda: record_key("ml", "uid", text, 0), lambda: checkpoint_key("ml", "uid", text)):
        with pytest.raises(InvalidKey):
            call()


@pytest.mark.parametrize(
    "name", ["a.b/0.json", "a//0.json", "a/_/0.json", "a/00.json", "a/checkpoint.log.json", "a/0.txt", "0.json", "a/../0.json", "a/0.json\n",
             "a/1_b/0.json", "a/__b/0.json"]
)  # fmt: skip
def test_what_is_no_key_of_a_run(name: str) -> None:
    with pytest.raises(InvalidKey):
        parse_run_key(f"ml/runs/uid/{name}")


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
    assert parse_run_key(key) == (namespace, uid, task, attempt)


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

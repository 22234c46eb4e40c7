"""What every store must do, on every kind of store."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import NotFound
from mlworkflow.store.layout import AttemptKey, CheckpointKey
from mlworkflow.store.records import (
    ArtifactRef,
    Chosen,
    Kept,
    Known,
    Prior,
    Record,
    load_run,
    read_log,
    read_record,
    record_keys,
    write_checkpoint,
    write_log,
    write_prior,
    write_trials,
)

from tests.builders import write_record


@pytest.fixture
def folder() -> str:
    return f"ns-{uuid.uuid4().hex[:12]}"


def test_what_was_written_is_read_back(store: ArtifactStore, folder: str) -> None:
    data = bytes(range(256)) * 20_000
    assert store.write_bytes(f"{folder}/a/b", data)
    assert store.stat(f"{folder}/a/b") == len(data)
    assert store.read_bytes(f"{folder}/a/b") == data
    assert b"".join(store.read(f"{folder}/a/b")) == data


def test_an_empty_object_is_an_object(store: ArtifactStore, folder: str) -> None:
    store.write_bytes(f"{folder}/empty", b"")
    assert store.stat(f"{folder}/empty") == 0
    assert store.read_bytes(f"{folder}/empty") == b""


def test_an_object_that_is_not_there(store: ArtifactStore, folder: str) -> None:
    assert store.stat(f"{folder}/none") is None
    with pytest.raises(NotFound):
        store.read(f"{folder}/none")
    with pytest.raises(NotFound):
        store.read_bytes(f"{folder}/none")
    store.delete(f"{folder}/none")


def test_writing_again_replaces(store: ArtifactStore, folder: str) -> None:
    store.write_bytes(f"{folder}/k", b"one")
    assert store.write_bytes(f"{folder}/k", b"two")
    assert store.read_bytes(f"{folder}/k") == b"two"


def test_writing_if_absent_never_replaces(store: ArtifactStore, folder: str) -> None:
    assert store.write_bytes(f"{folder}/k", b"one", if_absent=True)
    assert not store.write_bytes(f"{folder}/k", b"two", if_absent=True)
    assert store.read_bytes(f"{folder}/k") == b"one"


def test_of_many_that_write_if_absent_at_once_one_wins(store: ArtifactStore, folder: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.write_bytes(f"{folder}/race", b"%d" % n, if_absent=True), range(8)))
    assert won.count(True) == 1
    assert store.read_bytes(f"{folder}/race") == b"%d" % won.index(True)


def test_listing_is_whole_and_keeps_to_its_prefix(store: ArtifactStore, folder: str) -> None:
    keys = [f"{folder}/runs/{name}" for name in ("a-b/0.json", "a/0.json", "a/10.json", "a/2.json", "a.b/0.json")]
    for key in [*keys, f"{folder}/runs2/x"]:
        store.write_bytes(key, b"x")
    assert sorted(store.list(f"{folder}/runs/")) == sorted(keys)
    assert list(store.list(f"{folder}/nothing/")) == []


def test_what_was_deleted_is_gone(store: ArtifactStore, folder: str) -> None:
    store.write_bytes(f"{folder}/k", b"x")
    store.delete(f"{folder}/k")
    assert store.stat(f"{folder}/k") is None
    assert list(store.list(f"{folder}/")) == []


def test_check_passes_and_leaves_nothing(store: ArtifactStore) -> None:
    store.check()
    assert list(store.list("check/")) == []


def test_a_record_is_written_once(store: ArtifactStore, folder: str) -> None:
    key = AttemptKey(folder, "uid-1", "tune/3", 0)
    record = Record(workflow="w", step="tune", task="tune/3", attempt=0, kind="tune", exit_code=0)
    assert read_record(store, key) is None
    assert write_record(store, key, record)
    assert not write_record(store, key, msgspec.structs.replace(record, exit_code=1))
    assert read_record(store, key) == record
    store.write_bytes(f"{folder}/runs/uid-1/not-ours.txt", b"")
    assert load_run(store, folder, "uid-1") == Kept({key: record}, {}, {}, {})
    assert load_run(store, folder, "uid-2") == Kept({}, {}, {}, {})


def test_the_parameters_of_a_trial_are_found_with_the_records(store: ArtifactStore, folder: str) -> None:
    chosen = Chosen({"x": 0.1, "y": None, "z": [1, True]}, {"generation": 1}, {"seen": 2})
    write_trials(store, folder, "uid-3", {"fold/1.tune/3": chosen})
    assert load_run(store, folder, "uid-3") == Kept({}, {}, {"fold/1.tune/3": chosen}, {})


def test_what_is_chosen_at_once_is_one_object(store: ArtifactStore, folder: str) -> None:
    first = {f"tune/{number}": Chosen({"x": number}) for number in (8, 9, 10, 11)}
    then = {"tune/12": Chosen({"x": 12})}
    write_trials(store, folder, "uid-5", first)
    write_trials(store, folder, "uid-5", then)
    assert len(list(store.list(f"{folder}/runs/uid-5/"))) == 2
    assert load_run(store, folder, "uid-5").trials == first | then


def test_trials_that_an_earlier_version_chose_are_known(store: ArtifactStore, folder: str) -> None:
    store.write_bytes(f"{folder}/runs/uid-6/tune/0/trial.json", b'{"params":{"x":1}}')
    store.write_bytes(f"{folder}/runs/uid-6/tune/1/trial.json", b'{"params":{"x":2}}')
    assert load_run(store, folder, "uid-6").trials == {"tune/0": Chosen({"x": 1}), "tune/1": Chosen({"x": 2})}


def test_what_a_search_was_told_is_found_with_the_records_and_one_task_can_be_read_alone(
    store: ArtifactStore, folder: str
) -> None:
    prior = Prior("nightly.tune", "uid-1", [Known({"x": 0.5, "y": None}, [0.25])], 3)
    write_prior(store, folder, "uid-4", "tune", prior)
    write_trials(store, folder, "uid-4", {"tune/0": Chosen({"x": 1})})
    write_trials(store, folder, "uid-4", {"tune-again/0": Chosen({"x": 2})})
    assert load_run(store, folder, "uid-4").priors == {"tune": prior}
    assert load_run(store, folder, "uid-4", "tune") == Kept({}, {}, {"tune/0": Chosen({"x": 1})}, {"tune": prior})


def test_one_listing_tells_records_and_checkpoints_of_nested_tasks_apart(store: ArtifactStore, folder: str) -> None:
    """A step may be called `json` or `log`, and a group has records itself: no key is also the folder of another."""
    tasks = ["a", "a/0", "a/0.json", "a/0.log", "a/0.log.json", "a~1/0.b/2.checkpoint", "a.json"]
    records, checkpoints = {}, {}
    for number, task in enumerate(tasks):
        key = AttemptKey(folder, "uid-1", task, 0)
        records[key] = Record(workflow="w", step="s", task=task, attempt=0, kind="container", exit_code=0)
        checkpoints[task] = ArtifactRef(f"sha256:{number:064d}", number, "directory")
        assert write_record(store, key, records[key])
        write_checkpoint(store, CheckpointKey(folder, "uid-1", task), ArtifactRef("sha256:" + "f" * 64, 1, "directory"))
        write_checkpoint(store, CheckpointKey(folder, "uid-1", task), checkpoints[task])
        write_log(store, key, checkpoints[task])
    assert load_run(store, folder, "uid-1") == Kept(records, checkpoints, {}, {})
    assert {read_log(store, key) for key in records} == set(checkpoints.values())
    assert set(record_keys(store, folder, "uid-1")) == set(records)
    assert read_log(store, AttemptKey(folder, "uid-1", "a", 1)) is None

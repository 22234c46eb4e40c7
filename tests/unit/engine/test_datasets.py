"""Datasets that a workflow names: looked up once, whatever becomes of the operator or of the dataset afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store import datasets
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import cas_key
from mlworkflow.store.signing import BlobSigner

from tests.builders import WorkflowBuilder, a_workflow

from .engines import Engines

TAKES = {"data": {"from": {"dataset": "bikes"}}}


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path, BlobSigner(b"0" * 32))


def added(store: DirectoryStore, data: bytes) -> ArtifactRef:
    artifact = ArtifactRef(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), "file")
    store.write_bytes(cas_key("ns", artifact.digest), data)
    datasets.add(store, "ns", "bikes", artifact, "test")
    return artifact


def taking() -> WorkflowBuilder:
    return a_workflow().step("first").step("use", inputs=TAKES, after=["first"])


def given(engines: Engines) -> ArtifactRef:
    """What `use` was given."""
    (order,) = [order for (_, (task, _)), order in engines.cluster.orders.items() if task == "use"]
    return order.inputs["data"]


async def test_it_is_what_it_was_when_the_run_began(store: DirectoryStore) -> None:
    one = added(store, b"one")
    engines = Engines(store)
    await engines.add("w", taking())
    added(store, b"two")
    await engines.end("w", "first")
    assert given(engines) == one


async def test_another_operator_goes_by_the_record(store: DirectoryStore) -> None:
    one = added(store, b"one")
    engines = Engines(store)
    await engines.add("w", taking())
    added(store, b"two")
    engines.written.clear()  # its status was never written
    again = await engines.restart({"w": taking()})
    await again.end("w", "first")
    assert given(again) == one


async def test_it_is_of_the_namespace(store: DirectoryStore) -> None:
    added(store, b"one")
    engines = Engines(store)
    await engines.add("w", a_workflow().step("use", inputs=TAKES), namespace="other")
    assert engines.written["w"]["phase"] == "Failed"
    assert "there is no dataset 'bikes' in the namespace other; there are: none yet" in str(
        engines.written["w"]["message"]
    )

"""Every workflow that has ended is signed by the operator: without delay, again after a rerun, and after a kill in between."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.attest.keys import SigningKey, opened
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.errors import StoreUnavailable
from mlworkflow.store.layout import provenance_key
from mlworkflow.store.signing import BlobSigner

from tests.builders import WorkflowBuilder, a_workflow
from tests.component.kube.fake_api import until

from .cluster import given, operating, pod_of

BODY = {"image": "i", "command": ["c"], "agent": True}


def a_step() -> WorkflowBuilder:
    return a_workflow().kind("a", "container", BODY)


def said(folder: Path) -> Any:
    """The statement in the store, its signature checked; None while there is none."""
    store = DirectoryStore(folder, BlobSigner(b"0" * 32))
    at = provenance_key("default", "uid-1")
    if store.stat(at) is None:
        return None
    return json.loads(opened(store.read_bytes(at), [SigningKey.read(folder / "signing.key").public]))


async def test_a_workflow_that_has_ended_is_signed(tmp_path: Path) -> None:
    api = given(a_step())
    async with operating(api, tmp_path, signing=True) as operator:
        assert said(tmp_path) is None
        await operator.work(pod_of(api, "a"))
        await until(lambda: said(tmp_path))
    details = said(tmp_path)["predicate"]["runDetails"]
    assert details["metadata"]["finishedOn"] == api.status()["finishedAt"]
    assert [one["name"] for one in details["byproducts"]] == ["a/0.json"]


async def test_an_operator_killed_in_between_makes_it_after_its_restart(tmp_path: Path) -> None:
    api = given(a_step())
    async with operating(api, tmp_path) as operator:  # without a key it signs nothing, as one that was killed
        await operator.work(pod_of(api, "a"))
        assert api.status()["phase"] == "Succeeded"
    assert said(tmp_path) is None
    async with operating(api, tmp_path, signing=True):
        await until(lambda: said(tmp_path))
    first = (tmp_path / provenance_key("default", "uid-1")).read_bytes()
    async with operating(api, tmp_path, signing=True) as operator:
        await until(lambda: not operator.keeper.is_busy("uid-1"))
    assert (tmp_path / provenance_key("default", "uid-1")).read_bytes() == first, "it is there already"


async def test_a_rerun_is_signed_anew(tmp_path: Path) -> None:
    api = given(a_step())
    async with operating(api, tmp_path, signing=True) as operator:
        await operator.work(pod_of(api, "a"), exit_code=1)
        await until(lambda: said(tmp_path))
        api.edit(rerun={"id": "again"})
        await operator.settled()
        await operator.work(pod_of(api, "a", 1))
        await until(lambda: said(tmp_path)["predicate"]["runDetails"]["metadata"]["mlworkflow_phase"] == "Succeeded")
    records = said(tmp_path)["predicate"]["runDetails"]["byproducts"]
    assert [one["name"] for one in records] == ["a/0.json", "a/1.json"]


async def test_a_store_that_is_away_delays_the_statement_and_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = given(a_step().having(ttl="0s"))
    async with operating(api, tmp_path, signing=True) as operator:
        pauses: list[float] = []

        async def pause(seconds: float) -> None:
            pauses.append(seconds)

        operator.keeper._sleep = pause
        write = operator.engine.store.write_bytes
        refusals = iter([True, True])

        def sometimes(key: str, data: bytes, **options: Any) -> bool:
            if key.endswith("provenance.json") and next(refusals, False):
                raise StoreUnavailable("not now")
            return write(key, data, **options)

        monkeypatch.setattr(operator.engine.store, "write_bytes", sometimes)
        await operator.work(pod_of(api, "a"))
        await until(lambda: not api.objects["mlworkflows"])
        assert pauses == [1.0, 2.0]
    assert said(tmp_path), "a workflow is not deleted before it is signed"


async def test_what_was_tampered_with_is_not_quietly_put_right(tmp_path: Path) -> None:
    api = given(a_step())
    async with operating(api, tmp_path, signing=True) as operator:
        await operator.work(pod_of(api, "a"))
        await until(lambda: said(tmp_path))
    path = tmp_path / provenance_key("default", "uid-1")
    envelope = json.loads(path.read_text())
    spoilt = json.dumps({**envelope, "signatures": [{"keyid": "x", "sig": base64.b64encode(b"x").decode()}]})
    path.write_text(spoilt)
    async with operating(api, tmp_path, signing=True) as operator:
        await until(lambda: not operator.keeper.is_busy("uid-1"))
    assert path.read_text() == spoilt

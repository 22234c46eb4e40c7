"""The cache over every store: what is taken again, what is not, and the word for why."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.core.actions import Order
from mlworkflow.core.observation import Result
from mlworkflow.engine import records
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.garbage import DAY, Known, Retention, collect
from mlworkflow.store.layout import cas_key, record_key
from mlworkflow.store.records import decode
from mlworkflow.store.signing import BlobSigner

from tests.builders import WorkflowBuilder, a_workflow
from tests.unit.engine.engines import Engines

IMAGE, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
CODE, OTHER_CODE = f"sha256:{'3' * 64}", f"sha256:{'4' * 64}"
CACHE = {"enabled": True}


class Lab:
    """Workflows of a `make` step (never cached) whose output a `use` step takes, and what they ran."""

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store
        self.engines = Engines(store)
        self.engines.cluster.images = {"image": IMAGE}
        self.namespace = f"ns-{uuid.uuid4().hex[:8]}"
        self.count = 0

    async def run(self, builder: WorkflowBuilder, *, makes: bytes = b"data", namespace: str = "", **ends: Any) -> str:
        """A workflow from its start to its end; its uid. Every step that runs leaves an output."""
        self.count += 1
        uid, namespace = f"uid-{self.count}", namespace or self.namespace
        await self.engines.add(uid, builder, namespace)
        while mine := [task for owner, (task, _) in self.engines.cluster.running if owner == uid]:
            for task in mine:
                content = makes if task == "make" else f"of {task}".encode()
                left = await records.put(self.store, namespace, content)
                await self.engines.end(uid, task, result=Result(0, outputs={"o": left}, code=self.engines.cluster.code))
        await self.engines.engine.cache.close()
        return uid

    def ran(self, uid: str) -> list[str]:
        return [task for owner, (task, _) in self.engines.cluster.orders if owner == uid]

    def missed(self, uid: str, task: str = "use", namespace: str = "") -> str:
        key = record_key(namespace or self.namespace, uid, task, 0)
        return decode(self.store.read_bytes(key)).missed


@pytest.fixture
def lab(store: ArtifactStore) -> Lab:
    return Lab(store)


def used(name: str = "w", **fields: Any) -> WorkflowBuilder:
    use = {"inputs": {"i": "make.o"}, "outputs": "o", "cache": CACHE, **fields}
    return a_workflow(name).step("make", outputs="o").step("use", **use)


async def test_the_same_work_is_a_hit_and_costs_no_attempt(lab: Lab) -> None:
    first, second = await lab.run(used()), await lab.run(used())
    assert (lab.ran(first), lab.ran(second)) == (["make", "use"], ["make"])
    steps = {step["name"]: step for step in lab.engines.written[second]["steps"]}
    assert steps["use"]["cached"] is True
    assert "pod" not in steps["use"]
    record = decode(lab.store.read_bytes(record_key(lab.namespace, second, "use", 0)))
    assert record.cached_from == f"{first}/use/0"
    assert lab.missed(first) == "no result of this step is known"


async def test_another_image_under_the_same_tag_is_a_miss(lab: Lab) -> None:
    await lab.run(used())
    lab.engines.cluster.images = {"image": OTHER}
    again = await lab.run(used())
    assert (lab.ran(again), lab.missed(again)) == (["make", "use"], f"image: {IMAGE} → {OTHER}")


async def test_the_same_image_under_another_name_is_a_hit(lab: Lab) -> None:
    await lab.run(used())
    lab.engines.cluster.images["mirror:1"] = IMAGE
    renamed = a_workflow().step("make", outputs="o").kind(
        "use", "container", {"image": "mirror:1", "command": ["run"]}, inputs={"i": "make.o"}, outputs="o", cache=CACHE
    )  # fmt: skip
    assert lab.ran(await lab.run(renamed)) == ["make"]


async def test_other_bytes_at_the_same_place_are_a_miss(lab: Lab) -> None:
    await lab.run(used(), makes=b"one")
    again = await lab.run(used(), makes=b"two")
    assert lab.ran(again) == ["make", "use"]
    one, two = (f"sha256:{hashlib.sha256(data).hexdigest()}" for data in (b"one", b"two"))
    assert lab.missed(again) == f"inputs.i: file {one} → file {two}"


async def test_identical_bytes_of_another_run_are_a_hit(lab: Lab) -> None:
    """The step before ran again, and with another command: what counts is what it left."""
    await lab.run(used())
    again = (
        a_workflow().step("make", ["other"], outputs="o").step("use", inputs={"i": "make.o"}, outputs="o", cache=CACHE)
    )
    assert lab.ran(await lab.run(again)) == ["make"]


async def test_the_same_step_in_another_workflow_is_a_hit(lab: Lab) -> None:
    await lab.run(used())
    assert lab.ran(await lab.run(used("another"))) == ["make"]


async def test_another_namespace_is_a_miss(lab: Lab) -> None:
    await lab.run(used())
    other = f"{lab.namespace}-b"
    again = await lab.run(used(), namespace=other)
    assert (lab.ran(again), lab.missed(again, namespace=other)) == (["make", "use"], "no result of this step is known")


async def test_what_was_deleted_from_the_bucket_is_a_miss_and_made_again(lab: Lab) -> None:
    await lab.run(used())
    digest = f"sha256:{hashlib.sha256(b'of use').hexdigest()}"
    lab.store.delete(cas_key(lab.namespace, digest))
    again = await lab.run(used())
    assert lab.ran(again) == ["make", "use"]
    assert lab.missed(again) == f"o: {digest} of uid-1/use/0 is not in the store any more"
    assert lab.ran(await lab.run(used())) == ["make"]


async def test_one_byte_of_the_code_of_a_built_in_kind_is_a_miss(lab: Lab) -> None:
    prep = a_workflow().kind("use", "prep", {"source": {"sklearn": "iris"}, "target": "target"}, outputs="o")
    lab.engines.cluster.images, lab.engines.cluster.code = {"": IMAGE}, CODE
    await lab.run(prep)
    assert lab.ran(await lab.run(prep)) == []
    lab.engines.cluster.code = OTHER_CODE
    again = await lab.run(prep)
    assert (lab.ran(again), lab.missed(again)) == (["use"], f"code: {CODE} → {OTHER_CODE}")


async def test_what_a_laptop_left_a_cluster_takes(lab: Lab) -> None:
    """Where code and libraries are the same: a laptop has no image, and an image says what code it carries once a step has run in it."""
    prep = a_workflow().kind("use", "prep", {"source": {"sklearn": "iris"}, "target": "target"}, outputs="o")
    other = a_workflow().kind("use", "prep", {"source": {"sklearn": "wine"}, "target": "target"}, outputs="o")
    lab.engines.cluster.images, lab.engines.cluster.code = {"": ""}, CODE
    assert lab.ran(await lab.run(prep)) == ["use"]
    lab.engines.cluster.images = {"": IMAGE}
    assert lab.ran(await lab.run(other)) == ["use"]
    assert lab.ran(await lab.run(prep)) == []


async def test_params_salt_and_command_are_named_where_they_differ(lab: Lab) -> None:
    await lab.run(used(params={"p": 1}))
    assert lab.missed(await lab.run(used(params={"p": 2}))) == "params.p: 1 → 2"
    assert lab.missed(await lab.run(used(params={"p": 2}, cache={**CACHE, "salt": "x"}))) == "salt: nothing → x"


async def test_a_result_has_an_age(lab: Lab) -> None:
    await lab.run(used())
    lab.engines.now += 7200
    again = await lab.run(used(cache={**CACHE, "maxAge": "1h"}))
    assert lab.ran(again) == ["make", "use"]
    assert lab.missed(again).startswith("cache.maxAge: the result of uid-1/use/0 is 72")
    assert lab.ran(await lab.run(used(cache={**CACHE, "maxAge": "1h"}))) == ["make"]


async def test_where_the_image_is_not_known_the_step_runs_and_says_so(lab: Lab) -> None:
    lab.engines.cluster.images = {}
    for _ in range(2):
        uid = f"uid-{lab.count + 1}"
        await lab.engines.add(uid, a_workflow().step("use", outputs="o", cache=CACHE), lab.namespace)
        lab.count += 1
        left = await records.put(lab.store, lab.namespace, b"x")
        await lab.engines.end(uid, "use", result=Result(0, outputs={"o": left}))
        assert lab.missed(uid) == "the digest of the image image is not known"


async def test_a_failure_is_never_taken(lab: Lab) -> None:
    await lab.engines.add("failed", a_workflow().step("use", cache=CACHE), lab.namespace)
    await lab.engines.end("failed", "use", exit_code=1)
    assert lab.ran(await lab.run(a_workflow().step("use", cache=CACHE))) == ["use"]


async def test_of_identical_steps_in_many_workflows_one_runs(lab: Lab) -> None:
    alone = a_workflow().step("use", forEach={"range": 3}, outputs="o", cache=CACHE)
    for number in range(4):
        await lab.engines.add(f"many-{number}", alone, lab.namespace)
    assert lab.engines.running == ["many-0.use/0"]
    left = await records.put(lab.store, lab.namespace, b"once")
    await lab.engines.end("many-0", "use/0", result=Result(0, outputs={"o": left}))
    assert lab.engines.running == []
    assert len(lab.engines.cluster.orders) == 1
    assert {lab.engines.written[f"many-{number}"]["phase"] for number in range(4)} == {"Succeeded"}


async def test_a_result_waits_for_the_word_of_what_it_ran_where_others_wait_for_it(lab: Lab) -> None:
    """A step may end before the kubelet has said what image it was: as long as nobody knows, nobody could take its result."""
    images, lab.engines.cluster.images = lab.engines.cluster.images, {}
    for number in range(2):
        await lab.engines.add(f"one-{number}", a_workflow().step("use", outputs="o", cache=CACHE), lab.namespace)
    left = await records.put(lab.store, lab.namespace, b"once")
    ending = asyncio.create_task(lab.engines.end("one-0", "use", result=Result(0, outputs={"o": left})))
    await asyncio.sleep(0.3)
    assert not ending.done()
    lab.engines.cluster.images = images
    await ending
    assert len(lab.engines.cluster.orders) == 1
    assert lab.engines.written["one-1"]["phase"] == "Succeeded"


async def test_a_broken_entry_is_a_miss(lab: Lab) -> None:
    await lab.run(used())
    for key in list(lab.store.list(f"{lab.namespace}/cache/")):
        lab.store.write_bytes(key, b"{")
    assert lab.ran(await lab.run(used())) == ["make", "use"]


async def test_an_order_that_is_not_looked_up_asks_nothing_of_the_cache(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Order] = []
    monkeypatch.setattr(lab.engines.engine.cache, "find", asked.append)
    await lab.run(a_workflow().step("use", outputs="o"))
    assert asked == []


async def test_a_garbage_collection_leaves_what_may_be_taken_and_then_all_of_it_goes(
    tmp_path: Path, signer: BlobSigner
) -> None:
    now = 1_700_000_000.0
    store = DirectoryStore(tmp_path, signer, lambda: now)
    lab = Lab(store)

    def forget(uid: str) -> None:
        for key in list(store.list(f"{lab.namespace}/runs/{uid}/")):
            store.delete(key)

    forget(await lab.run(used()))
    now += 20 * DAY
    assert collect(store, lab.namespace, Known((), ()), Retention()).objects == 0
    second = await lab.run(used())
    assert lab.ran(second) == ["make"]
    forget(second)
    now += 20 * DAY
    report = collect(store, lab.namespace, Known((), ()), Retention())
    assert (report.objects, report.kept_objects) == (2, 0), "what was made, and what was made of it"
    assert list(store.list(f"{lab.namespace}/cache/")) == []
    assert lab.ran(await lab.run(used())) == ["make", "use"]

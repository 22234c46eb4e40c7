"""The client and the reflector against a real API server, the cluster under test."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.config import load_config
from mlworkflow.kube.errors import AlreadyExists, Conflict, Gone, Invalid, NotFound
from mlworkflow.kube.objects import Json
from mlworkflow.kube.paths import NAMESPACES, PODS
from mlworkflow.kube.reflector import Reflector

from .conftest import Cluster

COUNT = 50


def a_pod(name: str, label: str = "ours") -> Json:
    """A Pod that no node will ever run."""
    return {
        "metadata": {"name": name, "labels": {"test": label}},
        "spec": {"containers": [{"name": "main", "image": "none"}], "nodeSelector": {"never": "scheduled"}},
    }


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[KubeClient]:
    async with KubeClient(load_config(kubeconfig=Path(cluster.kubeconfig))) as client:
        yield client


@pytest.fixture
async def pods(client: KubeClient) -> AsyncIterator[str]:
    """The path of the Pods of a namespace of our own."""
    name = f"kube-layer-{uuid.uuid4().hex[:8]}"
    await client.create(NAMESPACES.path(), {"metadata": {"name": name}})
    # Without the default service account, which comes a moment later, Pods are forbidden.
    await until_found(client, f"/api/v1/namespaces/{name}/serviceaccounts/default")
    yield PODS.path(name)
    await client.delete(NAMESPACES.path(None, name))


async def until_found(client: KubeClient, path: str) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(NotFound):
                await client.get(path)
                return
            await asyncio.sleep(0.05)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  conditions on many objects, none of which has an event
            await asyncio.sleep(0.01)


async def test_the_reflector_follows_the_pods_of_its_selector(client: KubeClient, pods: str) -> None:
    changes: list[tuple[str, bool, bool]] = []
    await client.create(pods, a_pod("before"))
    reflector: Reflector[str] = Reflector(
        client,
        pods,
        params={"labelSelector": "test=ours"},
        project=lambda pod: str(pod["metadata"]["uid"]),
        on_change=lambda key, old, new: changes.append((key, bool(old), bool(new))),
        chunk=20,
    )
    run = asyncio.create_task(reflector.run())
    await reflector.synced.wait()
    assert len(reflector) == 1

    created = await asyncio.gather(*(client.create(pods, a_pod(f"p{number}")) for number in range(COUNT)))
    for pod in created:
        reflector.insert(pod)
    assert len(reflector) == COUNT + 1
    await client.create(pods, a_pod("foreign", label="theirs"))
    await until(lambda: reflector.resource_version >= max(int(pod["metadata"]["resourceVersion"]) for pod in created))
    assert len(reflector) == COUNT + 1

    await asyncio.gather(*(client.delete(f"{pods}/p{number}", grace_period=0) for number in range(COUNT)))
    await until(lambda: len(reflector) == 1)
    for pod in created:
        reflector.insert(pod)  # answers that come too late
    assert len(reflector) == 1
    run.cancel()
    assert len(changes) == 2 * COUNT + 1
    assert (reflector.statistics().lists, reflector.statistics().watches, reflector.statistics().failures) == (1, 1, 0)
    assert reflector.age() < 5
    assert client.statistics().total("list", "pods") == 1


async def test_a_list_in_pages_gives_every_pod_once(client: KubeClient, pods: str) -> None:
    await asyncio.gather(*(client.create(pods, a_pod(f"p{number}")) for number in range(25)))
    pages = [page async for page in client.pages(pods, chunk=10)]
    assert [len(page["items"]) for page in pages] == [10, 10, 5]
    assert len({pod["metadata"]["name"] for page in pages for pod in page["items"]}) == 25
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1


async def test_refusals_are_typed(client: KubeClient, pods: str) -> None:
    pod = await client.create(pods, a_pod("a"))
    with pytest.raises(AlreadyExists):
        await client.create(pods, a_pod("a"))
    with pytest.raises(Invalid):
        await client.create(pods, a_pod("Not_A_Name"))
    with pytest.raises(NotFound):
        await client.get(f"{pods}/missing")
    changed = await client.merge_patch(f"{pods}/a", {"metadata": {"labels": {"more": "x"}}})
    stale = {"metadata": {"resourceVersion": pod["metadata"]["resourceVersion"]}, "status": {"message": "x"}}
    with pytest.raises(Conflict):
        await client.patch_status(f"{pods}/a", stale)
    fresh = {"metadata": {"resourceVersion": changed["metadata"]["resourceVersion"]}, "status": {"message": "x"}}
    patched = await client.patch_status(f"{pods}/a", fresh)
    found = await client.get(f"{pods}/a")
    assert found["status"]["message"] == "x"
    assert patched == found["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await client.delete(f"{pods}/a", uid=str(uuid.uuid4()))
    with pytest.raises(Gone):
        async for _ in client.watch(pods, {"resourceVersion": "1"}):
            pass

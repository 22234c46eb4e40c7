"""What would happen in simulated Pods, where nothing runs: as soon as one is running its agent commits, and then its container ends.

The agents call the operator's gateway as those in Pods do, with a token that is bound to the Pod, signed with the key of the test node. A bare
Pod has no agent, and ends the same way: by one patch of its status, as a kubelet would write it. Both have their token made as soon as they are there,
for a kubelet has one made for whatever Pod has such a volume, before it starts a container.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import aiohttp
import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from mlworkflow.core import names
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import NotFound
from mlworkflow.kube.paths import PODS
from node.pki import PKI

from tests.perf.pods import Json, Watched

METRIC = "loss"
"""What every agent says of its step."""
_COMMITTED = {"exitCode": 0, "metrics": {METRIC: 0.5}}
_AT_ONCE = 32
_TRIES = 100


class Agents:
    """Those of all Pods that `watched` tells of. While `is_silent`, Pods go on running; `troubles` is what the gateway refused."""

    def __init__(self, client: KubeClient, watched: Watched, gateways: Sequence[str], keys: dict[str, Any]) -> None:
        self._client, self._urls = client, cycle(f"{gateway}/v1/commit" for gateway in gateways)
        self._key = load_pem_private_key((PKI / "sa.key").read_bytes(), None)
        self._kid = keys["keys"][0]["kid"]
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tokens: dict[str, str] = {}
        self._done: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._session = aiohttp.ClientSession()
        self.troubles: list[str] = []
        self.is_silent = False
        watched.hears.append(self._hear)

    @classmethod
    async def make(cls, client: KubeClient, watched: Watched, *gateways: str) -> Agents:
        """With the keys that the cluster publishes."""
        return cls(client, watched, gateways, await client.get("/openid/v1/jwks"))

    async def close(self) -> None:
        """Ends what is under way."""
        for task in self._tasks:
            task.cancel()
        await self._session.close()

    def _hear(self, pod: Json, is_gone: bool) -> None:
        uid = pod["metadata"].get("uid", "")
        if not is_gone and uid not in self._tokens:
            self._tokens[uid] = self._token(pod)
        if is_gone:
            self._done.discard(uid)
            self._tokens.pop(uid, None)
        elif not self.is_silent and uid not in self._done and pod["status"].get("phase") == "Running":
            self._done.add(uid)
            task = asyncio.create_task(self._run(pod))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, pod: Json) -> None:
        async with self._slots:
            if names.LABEL_WORKFLOW in pod["metadata"].get("labels", {}):
                await self._commit(pod)
            path = PODS.path(pod["metadata"]["namespace"], pod["metadata"]["name"])
            ended = {"exitCode": 0, "reason": "Completed"}
            containers = [{**status, "state": {"terminated": ended}} for status in pod["status"]["containerStatuses"]]
            with contextlib.suppress(NotFound):
                await self._client.patch_status(
                    path, {"status": {"phase": "Succeeded", "containerStatuses": containers}}
                )

    async def _commit(self, pod: Json) -> None:
        headers = {"Authorization": f"Bearer {self._tokens[pod['metadata']['uid']]}"}
        for _ in range(_TRIES):  # the Pod may be running before the operator has heard that it was created
            async with self._session.post(next(self._urls), json=_COMMITTED, headers=headers) as answer:
                if answer.status == 200:
                    return
                words = f"{pod['metadata']['name']}: {answer.status} {await answer.text()}"
            await asyncio.sleep(0.05)
        self.troubles.append(words)

    def _token(self, pod: Json) -> str:
        metadata, now = pod["metadata"], int(time.time())
        claims = {
            "aud": ["mlworkflow"], "exp": now + 600, "nbf": now - 1, "iat": now - 1, "sub": "perf",
            "kubernetes.io": {
                "namespace": metadata["namespace"],
                "pod": {"name": metadata["name"], "uid": metadata["uid"]},
                "serviceaccount": {"name": "default", "uid": ""},
            },
        }  # fmt: skip
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._kid})  # type: ignore[arg-type]

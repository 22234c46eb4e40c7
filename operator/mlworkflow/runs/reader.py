"""Artifacts and records of a cluster: by the API server's proxy to the gateway, so that no port is opened for them.

The gateway wants a token of the namespace that is read, with the audience `mlworkflow-read` (contract, section 5), `mlworkflow-write` where something is added, or `mlworkflow-purge` for a removal.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, BinaryIO

from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import ApiError, Forbidden, NotFound
from mlworkflow.kube.paths import Resource
from mlworkflow.runs.errors import NotAllowed, RunsError

AUDIENCE = "mlworkflow"
HEADER = "X-Mlworkflow-Token"
SERVICES = Resource("", "v1", "services")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
PART_OF = "app.kubernetes.io/part-of=mlworkflow"
FALLBACK = "mlworkflow-system"
LIFETIME = 600
"""Seconds that a token is good for; half of them it is used."""
_SUFFIX = "-gateway"


class Reader:
    """Reads one namespace's artifacts, and adds to them. `operator_namespace` None: found by the labels of the gateway's Service."""

    def __init__(self, client: KubeClient, namespace: str, operator_namespace: str | None) -> None:
        self._client = client
        self._namespace = namespace
        self._operator_namespace = operator_namespace
        self._gateway = ""
        self._tokens: dict[str, tuple[str, float]] = {}

    async def json(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """A small answer. Raises NotFound where there is nothing, ApiError."""
        return json.loads(b"".join([piece async for piece in self.stream(path, params)]))

    async def stream(self, path: str, params: Mapping[str, str | int] | None = None) -> AsyncGenerator[bytes, None]:
        """An answer as it comes. Raises ApiError."""
        headers = await self._token("read")
        async with aclosing(self._client.stream(await self._url("read", path), params, headers)) as pieces:
            async for piece in pieces:
                yield piece

    async def delete(self, path: str, params: Mapping[str, str] | None = None) -> None:
        """Have something removed. Raises ApiError."""
        headers = await self._token("purge")
        await self._client.request("DELETE", await self._url("read", path), params=params, headers=headers)

    async def put(self, path: str, content: BinaryIO, params: Mapping[str, str | int] | None = None) -> Any:
        """Send something to be kept. Raises ApiError."""
        headers = {**await self._token("write"), "Content-Type": "application/octet-stream"}
        return await self._client.upload(await self._url("write", path), content, params, headers)

    async def _url(self, verb: str, path: str) -> str:
        return f"{await self.gateway()}/proxy/v1/{verb}/{self._namespace}/{path}"

    async def gateway(self) -> str:
        """The path of the gateway's Service on the API server. Raises RunsError where there are several."""
        self._gateway = self._gateway or await self._find_gateway()
        return self._gateway

    async def _token(self, verb: str) -> dict[str, str]:
        """The header with a token for what is to be done: to read, to write or to purge."""
        token, until = self._tokens.get(verb, ("", 0.0))
        if time.monotonic() >= until:
            token, until = await self._make_token(verb), time.monotonic() + LIFETIME / 2
            self._tokens[verb] = token, until
        return {HEADER: token}

    async def _make_token(self, verb: str) -> str:
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {},
            "spec": {"audiences": [f"{AUDIENCE}-{verb}"], "expirationSeconds": LIFETIME},
        }
        try:
            made = await self._client.create(SERVICE_ACCOUNTS.path(self._namespace, "default", "token"), request)
        except Forbidden:
            raise NotAllowed(
                f"you may not {verb} artifacts of the namespace {self._namespace}",
                f"needed: create on serviceaccounts/token in {self._namespace} (docs/cli.md)",
            ) from None
        return str(made["status"]["token"])

    async def _find_gateway(self) -> str:
        """The path of the gateway's Service on the API server, with its port."""
        places = [self._operator_namespace] if self._operator_namespace else [None, FALLBACK]
        found: list[tuple[str, str, str]] = []
        for place in places:
            try:
                listed = await self._client.list(SERVICES.path(place), {"labelSelector": PART_OF})
            except (Forbidden, NotFound):
                continue  # not everybody may list Services everywhere
            found = [
                (item["metadata"]["namespace"], name, item["spec"]["ports"][0]["name"])
                for item in listed["items"]
                if (name := item["metadata"]["name"]).endswith(_SUFFIX)
            ]
            if found:
                break
        if len({namespace for namespace, *_ in found}) > 1:
            where = ", ".join(sorted(namespace for namespace, *_ in found))
            raise RunsError(f"there is more than one operator: in {where}", "say which: --operator-namespace NAME")
        if found:
            namespace, name, port = found[0]
            return _path(namespace, name, port)
        guess = _path(self._operator_namespace or FALLBACK, f"mlworkflow{_SUFFIX}", "http")
        try:
            async with aclosing(self._client.stream(f"{guess}/proxy/healthz", None, {})) as pieces:
                async for _ in pieces:
                    pass
        except ApiError as error:
            if is_out_of_reach(error) or error.status == 400:  # what speaks TLS gives plain HTTP no better answer
                return _path(self._operator_namespace or FALLBACK, f"mlworkflow{_SUFFIX}", "https")
        return guess


def _path(namespace: str, name: str, port: str) -> str:
    """The API server must be told who speaks TLS; whom it reaches so it asks for no authority, as it does for every Service."""
    return SERVICES.path(namespace, f"https:{name}:{port}" if port == "https" else f"{name}:{port}")


def is_out_of_reach(error: ApiError) -> bool:
    """Whether the gateway could not be asked at all, as opposed to having said no."""
    return error.status in (0, 502, 503, 504)

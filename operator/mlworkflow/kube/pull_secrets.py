"""The credentials of a step's `imagePullSecrets`, for asking a registry what a tag means. Read when they are needed, and kept for a minute."""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Callable, Sequence

import orjson

from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import ApiError
from mlworkflow.kube.image_names import ImageName, credentials_for
from mlworkflow.kube.objects import Json
from mlworkflow.kube.paths import Resource

_log = logging.getLogger(__name__)
SECRETS = Resource("", "v1", "secrets")
KEPT = 60.0
MOST = 256


class PullSecrets:
    """Reads Secrets of the type ``kubernetes.io/dockerconfigjson``; needs `get` on them. `clock` gives seconds."""

    def __init__(self, client: KubeClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[float, Json]] = {}

    async def credentials(self, namespace: str, names: Sequence[str], image: ImageName) -> tuple[str, str] | None:
        """User and password for an image: those of the first Secret that has any. One that cannot be read counts as if it had none."""
        for name in names:
            if found := credentials_for(image, await self._config(namespace, name)):
                return found
        return None

    async def _config(self, namespace: str, name: str) -> Json:
        until, config = self._kept.get((namespace, name), (0.0, {}))
        if self._clock() >= until:
            config = await self._read(namespace, name)
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[namespace, name] = (self._clock() + KEPT, config)
        return config

    async def _read(self, namespace: str, name: str) -> Json:
        try:
            secret = await self._client.get(SECRETS.path(namespace, name))
            config = orjson.loads(base64.b64decode((secret.get("data") or {}).get(".dockerconfigjson", "")) or b"{}")
        except ApiError as error:
            _log.warning("%s/%s: this imagePullSecret is not read: %s", namespace, name, type(error).__name__)
            return {}
        except (orjson.JSONDecodeError, binascii.Error, ValueError):
            return {}
        return config if isinstance(config, dict) else {}

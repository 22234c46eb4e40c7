"""What the name of an image says: which registry, which repository, which tag or digest; and which of some credentials are for it. Pure.

Source: https://github.com/distribution/reference, and for credentials the kubelet's reading of ``.dockerconfigjson``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DOCKER = "registry-1.docker.io"
_DOCKER_NAMES = frozenset({"docker.io", "index.docker.io", DOCKER})
_NAME = re.compile(
    r"(?:(?P<host>(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class ImageName:
    """`host` is that of the registry, with its port if it names one; `digest` is empty where the name has none."""

    host: str
    path: str
    tag: str
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> ImageName | None:
        """None for what is no name of an image. What stands before the first slash is a host if it has a dot or a port, or is ``localhost``."""
        first, slash, _ = text.partition("/")
        has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
        matched = _NAME.fullmatch(text if has_host else f"docker.io/{text}")
        if not matched:
            return None
        host, path = matched["host"], matched["path"]
        if host in _DOCKER_NAMES:
            host, path = DOCKER, path if "/" in path else f"library/{path}"
        return cls(host, path, matched["tag"] or "latest", matched["digest"] or "")


def credentials_for(name: ImageName, config: Mapping[str, Any]) -> tuple[str, str] | None:
    """User and password for an image in the document of a ``.dockerconfigjson``; the longest key that fits counts."""
    auths = config.get("auths")
    best, found = -1, None
    for key, entry in auths.items() if isinstance(auths, Mapping) else ():
        host, _, path = re.sub(r"^https?://", "", str(key)).partition("/")
        path = re.sub(r"^v[12]/?$", "", path).rstrip("/")
        is_host = host == name.host or (host in _DOCKER_NAMES and name.host == DOCKER)
        is_path = not path or f"{name.path}/".startswith(f"{path}/")
        known = _credentials(entry) if is_host and is_path and len(path) > best else None
        if known:
            best, found = len(path), known
    return found


def _credentials(entry: Any) -> tuple[str, str] | None:
    if not isinstance(entry, Mapping):
        return None
    if entry.get("username") and entry.get("password"):
        return str(entry["username"]), str(entry["password"])
    try:
        user, colon, password = base64.b64decode(str(entry.get("auth") or "")).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None

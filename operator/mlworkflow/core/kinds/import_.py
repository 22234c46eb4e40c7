"""`import`: bytes from elsewhere, once, as an artifact. An input with `from: {http: …}` or `from: {s3: …}` stands for such a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.origins import Import, problems_of


def _unpinned(body: Mapping[str, Any]) -> str:
    if "sha256" in body or "version" in body:
        return ""
    return "http" if "http" in body else "s3"


def _credentials(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The variables of the step's container that hold the keys, as references: no value is in the Pod's spec."""
    if "secret" not in body:
        return []
    keys = {"AWS_ACCESS_KEY_ID": "accessKey", "AWS_SECRET_ACCESS_KEY": "secretKey"}
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": body["secret"], "key": key}}}
        for name, key in keys.items()
    ]


_EXAMPLE = """\
name: raw
import:
  s3: open-data/bikes/2024.csv
  endpoint: https://s3.example.org
  sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
retry: {limit: 3}
"""

KIND = Kind(
    name="import",
    order=1,
    summary="data from an address or an object store, once and by its content",
    body=Import,
    command=built_in("import"),
    outputs={"data": "file", "sha256": "string", "etag": "string", "last_modified": "string", "version": "string"},
    optional_outputs=frozenset({"etag", "last_modified", "version"}),
    text_fields=frozenset(Import.__struct_encode_fields__),
    is_cached=True,
    unpinned=_unpinned,
    variables=_credentials,
    check=problems_of,
    example=_EXAMPLE,
)

"""What an S3 store enforces, found out by attacking it: `S3Store.check` calls this once at the start.

Each attack is one that a hostile step could try with a PUT URL for its own key. A form is good when the honest
upload passes and every attack is refused. One attack needs no URL at all but only the id of a key (`is_forgeable`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping

from mlworkflow.store._protocol import SignedPut
from mlworkflow.store._s3_urls import Form
from mlworkflow.store.parts import InParts

_HONEST = b"mlworkflow honest probe"
_HOSTILE = b"mlworkflow hostile prob"
_SECONDS = 300.0
_EMPTY_CRC32 = "AAAAAA=="

Put = Callable[[str, Mapping[str, str], bytes], int]
"""(url, headers, body) → HTTP status; raises `StoreUnavailable`."""


def find_form(sign: Callable[[Form, str, str, int], SignedPut], put: Put, copy_source: str, folder: str) -> Form | None:
    """The first form that this store enforces, or None. `copy_source` names an object that is there; `folder` ends
    in ``/``.
    """
    for form in Form:

        def attempt(body: bytes, headers: Mapping[str, str], form: Form = form) -> bool:
            digest = "sha256:" + hashlib.sha256(_HONEST).hexdigest()
            signed = sign(form, folder + uuid.uuid4().hex, digest, len(_HONEST))
            return put(signed.url, {**signed.headers, **headers}, body) < 300

        copy = {"x-amz-copy-source": copy_source}
        if attempt(_HONEST, {}) and not attempt(_HOSTILE, {}) and not attempt(_HONEST, copy):
            return form
    return None


def parts_are_bound(parts: InParts, key: str, upload: str, put: Put, copy_source: str) -> bool:
    """Whether the parts of an upload are bound to their digests as whole objects are."""

    def attempt(number: int, body: bytes, headers: Mapping[str, str]) -> bool:
        digest = "sha256:" + hashlib.sha256(_HONEST).hexdigest()
        signed = parts.sign(key, upload, number, digest, len(_HONEST), _SECONDS)
        return put(signed.url, {**signed.headers, **headers}, body) < 300

    copy = {"x-amz-copy-source": copy_source}
    is_bound = attempt(1, _HONEST, {}) and not attempt(2, _HOSTILE, {}) and not attempt(3, _HONEST, copy)
    return is_bound and [part.number for part in parts.arrived(key, upload)] == [1]


def is_forgeable(sign: Callable[[str], str], put: Put, folder: str) -> bool:
    """Whether an upload with an invented signature passes, as in MinIO's CVE-2026-41145."""
    url, _, signature = sign(folder + uuid.uuid4().hex).rpartition("=")
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "0",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    body = f"0\r\nx-amz-checksum-crc32:{_EMPTY_CRC32}\r\n\r\n".encode()
    return put(f"{url}={'0' * len(signature)}", headers, body) < 300

"""Which key holds what; pure.

    <namespace>/cas/sha256/<2 hex>/<62 hex>            an artifact's bytes, named by their digest
    <namespace>/runs/<workflow uid>/<task>/<attempt>.json   the record of one attempt

Every part is checked here, so no text from outside can reach another namespace: a key that this module returns has no
``..``, no empty segment and none but the segments above. All functions raise `InvalidKey`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mlworkflow.store.errors import InvalidKey

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_UID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]{0,62}")
_TASK = re.compile(r"[a-z0-9]([-a-z0-9.]{0,126}[a-z0-9])?(/(0|[1-9][0-9]{0,8}))?")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_CAS_KEY = re.compile(r"(?P<namespace>[^/]+)/cas/sha256/(?P<head>[0-9a-f]{2})/(?P<tail>[0-9a-f]{62})")
_RECORD_KEY = re.compile(r"(?P<namespace>[^/]+)/runs/(?P<uid>[^/]+)/(?P<task>.+)/(?P<attempt>0|[1-9][0-9]{0,8})\.json")


class AttemptKey(NamedTuple):
    """One attempt of one task of one workflow; `task` is a step's name or ``<step>/<n>``."""

    namespace: str
    uid: str
    task: str
    attempt: int


def cas_key(namespace: str, digest: str) -> str:
    """The key of the artifact with this digest (``sha256:<64 hex>``)."""
    matched = _DIGEST.fullmatch(digest)
    if not matched:
        raise InvalidKey(f"not a digest: {digest[:80]!r}")
    return f"{_checked(_NAMESPACE, 'namespace', namespace)}/cas/sha256/{matched[1][:2]}/{matched[1][2:]}"


def record_key(namespace: str, uid: str, task: str, attempt: int) -> str:
    """The key of an attempt's record."""
    if not 0 <= attempt < 10**9:
        raise InvalidKey(f"not an attempt: {attempt}")
    return f"{records_prefix(namespace, uid)}{_checked(_TASK, 'task', task)}/{attempt}.json"


def records_prefix(namespace: str, uid: str) -> str:
    """What the keys of all records of one workflow begin with; ends in ``/``."""
    return f"{_checked(_NAMESPACE, 'namespace', namespace)}/runs/{_checked(_UID, 'uid', uid)}/"


def parse_cas_key(key: str) -> tuple[str, str]:
    """``(namespace, digest)`` of a key made by `cas_key`."""
    matched = _CAS_KEY.fullmatch(key)
    if not matched:
        raise InvalidKey(f"not the key of an artifact: {key[:200]!r}")
    return _checked(_NAMESPACE, "namespace", matched["namespace"]), f"sha256:{matched['head']}{matched['tail']}"


def parse_record_key(key: str) -> AttemptKey:
    """The attempt whose record a key made by `record_key` holds."""
    matched = _RECORD_KEY.fullmatch(key)
    if not matched:
        raise InvalidKey(f"not the key of a record: {key[:200]!r}")
    return AttemptKey(
        _checked(_NAMESPACE, "namespace", matched["namespace"]),
        _checked(_UID, "uid", matched["uid"]),
        _checked(_TASK, "task", matched["task"]),
        int(matched["attempt"]),
    )


def is_digest(text: str) -> bool:
    """Whether a text is ``sha256:`` and 64 lower-case hex digits."""
    return _DIGEST.fullmatch(text) is not None


def _checked(pattern: re.Pattern[str], noun: str, text: str) -> str:
    if not pattern.fullmatch(text):
        raise InvalidKey(f"not a {noun}: {text[:80]!r}")
    return text

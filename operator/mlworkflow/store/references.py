"""Which artifacts a document refers to. Pure.

Every text ``sha256:<64 hex>`` anywhere in it is a reference, so that nobody who keeps documents beside runs has to tell what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mlworkflow.core import collection

_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class References:
    """`digests` are all of them, `collections` those that are said to be one, `untyped` those of which nothing is said.

    Of a record, `outputs` is name → digest of what came out, `keep` name → duration of those outputs that are kept for a while only,
    `rest` what is named beside outputs and inputs, `workflow` its name.
    """

    digests: frozenset[str] = frozenset()
    collections: frozenset[str] = frozenset()
    untyped: frozenset[str] = frozenset()
    outputs: dict[str, str] = field(default_factory=dict)
    keep: dict[str, str] = field(default_factory=dict)
    rest: frozenset[str] = frozenset()
    workflow: str = ""


def references(data: bytes) -> References:
    """Those of a document; of one that is no JSON too."""
    digests = _found(data)
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return References(digests, untyped=digests, rest=digests)
    typed = dict(_typed(document))
    collections = frozenset(digest for digest, type_ in typed.items() if type_ == collection.TYPE)
    if not isinstance(document, dict):
        return References(digests, collections, digests - typed.keys(), rest=digests)
    rest = _found(msgspec.json.encode({**document, "inputs": None, "outputs": None}))
    return References(
        digests,
        collections,
        digests - typed.keys(),
        outputs=_texts(document.get("outputs")),
        keep=_texts(document.get("keep")),
        rest=rest,
        workflow=str(document.get("workflow") or ""),
    )


def _found(data: bytes) -> frozenset[str]:
    return frozenset(found.group().decode() for found in _DIGEST.finditer(data))


def _typed(value: Any) -> Iterator[tuple[str, str]]:
    """(digest, type) of every reference that is written as one."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            if isinstance(value.get("digest"), str) and isinstance(value.get("type"), str):
                yield value["digest"], value["type"]
            pending.extend(value.values())


def _texts(found: Any) -> dict[str, str]:
    """A map of a record: its texts, and the digests of its references."""
    if not isinstance(found, dict):
        return {}
    texts = {key: value.get("digest") if isinstance(value, dict) else value for key, value in found.items()}
    return {key: value for key, value in texts.items() if isinstance(value, str)}

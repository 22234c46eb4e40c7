"""What a result follows from, and so what must be the same for it to be taken again: facts by name, and a digest of them all. Pure.

Facts are what is run (the digest of an image, or of the code and libraries of a built-in kind), how, and on what: nothing else makes a difference.
Neither does the workflow: the same step in another workflow of the namespace has the same facts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from mlworkflow.core.actions import Order
from mlworkflow.core.duration import seconds
from mlworkflow.core.expressions import as_text

VERSION = 1
"""Of what the facts are and what they mean; another version takes no result of this one."""
LONGEST = 80
"""Characters of a value in an explanation."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What an order runs, as far as it is known: the digest of an image (on a laptop: of all that is installed), and of the code and libraries of a built-in kind,
    with the optional libraries that are there.

    `is_open` says that the code is not all of it: a step may import more from its image. `unknown` says why there is neither; a salt may vouch
    for it where `may_vouch`.
    """

    image: str = ""
    code: str = ""
    is_open: bool = False
    unknown: str = ""
    may_vouch: bool = False


def facts_of(order: Order, identity: Identity) -> dict[str, Any] | str:
    """The facts of an order, or why they are not all known. A salt vouches for what is not."""
    salt = order.step.cache.salt
    image, code = identity.image, ""
    if order.step.kind.command and identity.code:
        image, code = (image if identity.is_open else ""), _counting(identity.code, order.spec)
    if not (image or code or (salt and identity.may_vouch)):
        return identity.unknown
    if (field := _unpinned(order)) and not salt:
        return f"{field} stands for what is not known before the step runs; cache.salt can vouch for it"
    return {
        "version": VERSION,
        "kind": order.step.kind.name,
        "image": image,
        "code": code,
        "salt": salt,
        order.step.kind.name: {name: value for name, value in order.spec.items() if name != "image"},
        "params": dict(order.params),
        "env": {str(variable.get("name")): variable for variable in order.env},
        "inputs": {name: f"{artifact.type} {artifact.digest}" for name, artifact in order.inputs.items()},
        "outputs": {name: [output.type, output.optional] for name, output in order.outputs.items()},
    }


def _counting(code: str, spec: Mapping[str, Any]) -> str:
    """What of the code counts for a step: all but the optional libraries whose word is not in its spec (``sha256:… lightgbm=lightgbm-4.6.0``)."""
    digest, *others = code.split(" ")
    text = msgspec.json.encode(spec).decode()
    return " ".join([digest, *(other for other in others if other.partition("=")[0] in text)])


def _unpinned(order: Order) -> str:
    """The first field of a step that its facts do not pin down."""
    common = order.step.common
    if common.volumes:
        return "volumes"
    if common.pod_template:
        return "podTemplate"
    field = order.step.kind.unpinned(order.spec)
    return f"{order.step.kind.name}.{field}" if field else ""


def digest_of(facts: Mapping[str, Any]) -> str:
    """``sha256:<hex>`` of the facts as canonical JSON."""
    return f"sha256:{hashlib.sha256(msgspec.json.encode(facts, order='sorted')).hexdigest()}"


def max_age_of(order: Order) -> float | None:
    """How old a result may be, in seconds."""
    limit = order.step.cache.max_age
    return None if limit is UNSET else seconds(limit)


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Each field that differs, as ``inputs.train: file sha256:… → file sha256:…``, the deepest that can be named."""
    return list(_differences(before, now, ""))


def _differences(before: Any, now: Any, path: str) -> Any:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted({*before, *now}):
            yield from _differences(before.get(name), now.get(name), f"{path}.{name}" if path else name)
    elif before != now:
        yield f"{path}: {_shown(before)} → {_shown(now)}"


def _shown(value: Any) -> str:
    if value in (None, ""):
        return "nothing"
    text = as_text(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

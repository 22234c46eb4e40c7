"""How acts and artifacts are called where a person reads them. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from mlworkflow.runs.lineage.book import Act
from mlworkflow.runs.lineage.graph import Graph, output_of
from mlworkflow.runs.text import size

LONGEST = 100
_SHORT = len("sha256:") + 12


def short(digest: str) -> str:
    return digest[:_SHORT]


def artifact(graph: Graph, digest: str, user: str = "") -> str:
    """``sha256:0123456789ab train.model (file, 47.1 KiB)``, by the name that it was left with for this user."""
    reference = graph.artifacts[digest]
    about = [str(reference.get("type") or ""), size(int(reference["size"])) if "size" in reference else ""]
    told = ", ".join(word for word in (*about, "from outside" if digest in graph.outside else "") if word)
    maker = graph.acts.get(graph.makers.get((digest, user), ""))
    name = f"{maker.task}.{output_of(maker, digest)}" if maker else graph.names.get(digest, "")
    return " ".join(word for word in (short(digest), name, f"({told})" if told else "") if word)


def runs(acts: Iterable[Act]) -> dict[str, str]:
    """What to call each run by its uid: with a piece of that where two have one name."""
    uids: dict[str, set[str]] = defaultdict(set)
    for act in acts:
        uids[act.run].add(act.uid)
    return {uid: name if len(found) == 1 else f"{name}~{uid[:8]}" for name, found in uids.items() for uid in found}


def act(one: Act, called: Mapping[str, str]) -> str:
    """``digits.2 train (train)``, with what is out of the ordinary."""
    odd = [f"attempt {one.attempt}"] if one.attempt else []
    odd += ["cached"] if one.cached_from else []
    odd += [str(one.record.get("reason") or "failed")] if not one.is_success else []
    return ", ".join([f"{called[one.uid]} {one.task} ({one.record.get('kind', '')})", *odd])


def facts(one: Act) -> list[str]:
    """What it ran: code, image, parameters and its own spec, each on a line."""
    image = str(one.record.get("image") or "")
    digest = str(one.record.get("imageDigest") or "")
    found = {
        "code": str(one.record.get("code") or ""),
        "image": " ".join(
            word for word in (image, f"@ {short(digest)}" if digest and digest not in image else "") if word
        ),
        "params": _pairs(one.record.get("params") or {}),
        "spec": _pairs({name: value for name, value in (one.record.get("spec") or {}).items() if name != "image"})
        if isinstance(one.record.get("spec"), dict)
        else "",
    }
    return [f"{name}: {_cut(text)}" for name, text in found.items() if text]


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in values.items()
    )


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"

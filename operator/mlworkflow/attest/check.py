"""Whether a statement and what is kept of its run still agree, each point where they do not in words. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mlworkflow.attest import statement as statements
from mlworkflow.attest.statement import PREDICATE, STATEMENT, Builder, Records


def disagreements(payload: bytes, resource: Mapping[str, Any], records: Records) -> list[str]:
    """What is not as the statement says; nothing where all is."""
    try:
        said = json.loads(payload)
        kinds = (said["_type"], said["predicateType"])
        details = said["predicate"]["runDetails"]
        builder = Builder(details["builder"]["id"], details["builder"]["version"]["mlworkflow"])
        if kinds != (STATEMENT, PREDICATE):
            return [f"the statement is of another kind: {kinds[1]}"]
        expected = statements.statement(resource, records, builder)
        return list(_compared(said, expected))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ["the statement does not have the form of SLSA provenance"]


def _compared(said: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    ours, theirs = said["predicate"], expected["predicate"]
    run, now = ours["runDetails"]["metadata"], theirs["runDetails"]["metadata"]
    if run["invocationId"] != now["invocationId"]:
        yield f"the statement is of another run ({run['invocationId']}, not {now['invocationId']})"
        return
    if run["finishedOn"] != now["finishedOn"]:
        yield (
            f"the statement is of another end of this run ({run['finishedOn']}, not {now['finishedOn']}); "
            "after a rerun a new one is made within moments"
        )
    yield from (
        f"{field}: the run says {now[field]!r}, the statement {run[field]!r}"
        for field in ("startedOn", statements.PHASE)
        if run[field] != now[field]
    )
    yield from _differences(
        "record",
        ours["runDetails"]["byproducts"],
        theirs["runDetails"]["byproducts"],
        "was changed since it was signed",
    )
    yield from _differences("artifact", said["subject"], expected["subject"], "is another one in its record")
    build, kept = ours["buildDefinition"], theirs["buildDefinition"]
    yield from _differences(
        "input or image", build["resolvedDependencies"], kept["resolvedDependencies"], "is another one in the records"
    )
    is_same_spec = (
        build["internalParameters"] == kept["internalParameters"]
    )  # one that was edited since is not what ran
    if is_same_spec and build["externalParameters"] != kept["externalParameters"]:
        yield "the spec is not the one that was signed"


def _differences(noun: str, signed: list[Any], found: list[Any], changed: str) -> Iterator[str]:
    ours, theirs = _by_name(signed), _by_name(found)
    for name in sorted({*ours, *theirs}):
        if name not in theirs:
            yield f"{noun} {name} is in the statement, and is not there any more"
        elif name not in ours:
            yield f"{noun} {name} is not in the statement"
        elif ours[name] != theirs[name]:
            yield f"{noun} {name} {changed}: {_shown(theirs[name])}, signed was {_shown(ours[name])}"


def _by_name(descriptors: list[Any]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for one in descriptors:
        named.setdefault(one.get("name") or one["uri"], []).append((one.get("digest") or {}).get("sha256", ""))
    return {name: sorted(digests) for name, digests in named.items()}


def _shown(digests: list[str]) -> str:
    return ", ".join(f"sha256:{digest}" if digest else "no digest" for digest in digests)

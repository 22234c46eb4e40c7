"""A run carried out once more: what is asked for, and whether the same came out. What asks and compares bytes takes the run's place as a parameter."""

from __future__ import annotations

import hashlib
import re
import tarfile
import tempfile
from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any

from mlworkflow.core.discretion import without_webhooks
from mlworkflow.runs import pins
from mlworkflow.runs.comparing import Difference, Side, compare
from mlworkflow.runs.errors import Refused, Removed
from mlworkflow.runs.run import Run, Runs
from mlworkflow.runs.uncached import without_cache

CANNOT_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
_CONTROL = ("rerun", "cancel", "suspend", "ttl")
_INDEX = re.compile(r"~[0-9]+|/[0-9]+")
_WHAT_RAN = ("image", "code", "param", "input")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`differences` of what came out, in the order in which the steps had ended: the first is the cause or next to it. `file` is the first file that
    differs in the first of them, where that is a directory; `ran` is what differed of what ran.
    """

    run: str
    again: str
    compared: int
    differences: list[Difference]
    ran: list[Difference]
    file: str = ""

    @property
    def is_identical(self) -> bool:
        return not self.differences

    def plain(self) -> dict[str, Any]:
        return {"identical": self.is_identical, **asdict(self)}

    def text(self) -> str:
        if self.is_identical:
            return (
                f"{self.run} was reproduced as {self.again}: {self.compared} outputs, each of them the same bit by bit"
            )
        first, more = self.differences[0], len(self.differences) - 1
        lines = [
            f"{self.run} was not reproduced by {self.again}: of {self.compared} outputs {len(self.differences)} differ",
            f"  the first: {first.kind} {first.where}: {_told(first.left)}, now {_told(first.right)}",
            *([f"  there, the first file that differs: {self.file}"] if self.file else []),
            *(
                [f"  then: {', '.join(one.where for one in self.differences[1:11])}{', …' if more > 10 else ''}"]
                if more
                else []
            ),
            *(
                f"  what ran differed: {one.kind} {one.where}: {_told(one.left)}, now {_told(one.right)}"
                for one in self.ran
            ),
        ]
        return "\n".join(lines)


def resource(left: Side, name: str, said: Mapping[str, Mapping[str, Any]], *, pin: bool) -> dict[str, Any]:
    """The workflow to run: the same spec without the cache and without webhooks, and with names as they were (`pins`); with `pin`, images by the digests
    that they had. `said` is what the attempts have said that ran, by task."""
    wanted = _written(left.run, name, _images(said) if pin else {}, _CONTROL)
    return without_cache({**wanted, "spec": pins.pinned(without_webhooks(wanted["spec"]), left.records)})


def recipe(run: Run, said: Mapping[str, Mapping[str, Any]], *, pin: bool) -> dict[str, Any]:
    """The workflow as somebody may apply it elsewhere, to other data: what was asked for, and nothing of what became of it. With `pin`, images by the digests that they had."""
    name = str(run.resource["metadata"]["name"])
    return _written(run, name, _images(said) if pin else {}, ("rerun", "cancel", "suspend", "approvals"))


def _written(run: Run, name: str, images: Mapping[str, str], without: Container[str]) -> dict[str, Any]:
    """A resource without uid, status and what this run alone was told."""
    spec = {key: value for key, value in run.resource["spec"].items() if key not in without}
    spec["steps"] = [_pinned(step, "", images) for step in spec["steps"]]
    metadata = {"name": name, **({"labels": found} if (found := run.resource["metadata"].get("labels")) else {})}
    return {**{field: run.resource[field] for field in ("apiVersion", "kind")}, "metadata": metadata, "spec": spec}


async def verdict(runs: Runs, left: Side, right: Side) -> Verdict:
    """Raises RunsError."""
    found = list(_came_out(left, right))
    ran = [one for one in compare(left, right) if one.kind in _WHAT_RAN and not _follows(one, found)]
    compared = sum(len(_outputs(record)) for record in left.records.values())
    file = await _first_file(runs, left, right, found[0]) if found else ""
    return Verdict(left.run.id, right.run.id, compared, found, ran if found else [], file)


def _came_out(left: Side, right: Side) -> Iterator[Difference]:
    if left.run.phase is not right.run.phase:
        yield Difference("phase", "of the run", str(left.run.phase), str(right.run.phase))
    for task, record in sorted(left.records.items(), key=lambda item: (item[1].get("finishedAt") or 0.0, item[0])):
        again = right.records.get(task)
        if again is None:
            phase = right.run.known.get(task, {}).get("phase")
            yield Difference("step", task, "Succeeded", str(phase) if phase else None)
            continue
        before, now = _outputs(record), _outputs(again)
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                yield Difference("output", f"{task}.{name}", before.get(name), now.get(name))


def _outputs(record: Mapping[str, Any]) -> dict[str, Any]:
    """name → digest or value."""
    artifacts = {name: reference["digest"] for name, reference in (record.get("outputs") or {}).items()}
    return {**artifacts, **(record.get("parameters") or {})}


def _follows(one: Difference, found: list[Difference]) -> bool:
    """Whether an input or a parameter differs because an output did."""
    return one.kind in ("input", "param") and any(output.right == one.right for output in found)


def _images(records: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The images by the digests that they had, by the path of their step in the spec: ``folds.prep``."""
    return {
        _INDEX.sub("", task): f"{record['image'].partition('@')[0]}@{record['imageDigest']}"
        for task, record in records.items()
        if record.get("image") and str(record.get("imageDigest") or "").startswith("sha256:")
    }


def _pinned(step: Mapping[str, Any], above: str, images: Mapping[str, str]) -> dict[str, Any]:
    path = f"{above}.{step['name']}" if above else str(step["name"])
    pinned = dict(step)
    if isinstance(step.get("steps"), list):
        pinned["steps"] = [_pinned(inner, path, images) for inner in step["steps"]]
    elif path in images:
        inner = (step.get("tune") or {}).get("step") or {}
        if "image" in (step.get("container") or {}):
            pinned["container"] = {**step["container"], "image": images[path]}
        elif "image" in (inner.get("container") or {}):
            container = {**inner["container"], "image": images[path]}
            pinned["tune"] = {**step["tune"], "step": {**inner, "container": container}}
        else:
            pinned["image"] = images[path]
    return pinned


async def _first_file(runs: Runs, left: Side, right: Side, first: Difference) -> str:
    """The first file that differs between two directories, and how; empty where they are none, or are not there any more."""
    task, _, name = first.where.rpartition(".")
    sides = [(side.records.get(task) or {}).get("outputs", {}).get(name) for side in (left, right)]
    if first.kind != "output" or not all(side and side.get("type") == "directory" for side in sides):
        return ""
    try:
        before, now = [
            await _files(runs, side.run, str(side.records[task]["outputs"][name]["digest"])) for side in (left, right)
        ]
    except (Removed, Refused):
        return ""
    for path in sorted({*before, *now}):
        if before.get(path) != now.get(path):
            lacking = next((side.run.id for side, files in ((left, before), (right, now)) if path not in files), "")
            return f"{path} ({f'{lacking} does not have it' if lacking else 'its content or mode'})"
    return ""


async def _files(runs: Runs, run: Run, digest: str) -> dict[str, tuple[Any, ...]]:
    """What a directory holds, by path."""
    with tempfile.TemporaryFile() as scratch:
        async for piece in runs.artifact(run, digest):
            scratch.write(piece)
        scratch.seek(0)
        with tarfile.open(fileobj=scratch) as archive:
            return {member.name: _content(archive, member) for member in archive}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[Any, ...]:
    file = archive.extractfile(member) if member.isfile() else None
    return member.type, member.mode, member.linkname, _hashed(file) if file else ""


def _hashed(file: IO[bytes]) -> str:
    hashed = hashlib.sha256()
    while piece := file.read(1 << 20):
        hashed.update(piece)
    return hashed.hexdigest()


def _told(value: Any) -> str:
    return "nothing" if value is None else str(value)

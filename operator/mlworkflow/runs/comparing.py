"""What differs between two runs, and nothing else: parameters, spec, data, code, images, what came out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlworkflow.core.expressions import as_text
from mlworkflow.runs.run import Run
from mlworkflow.runs.text import table

LONGEST = 60
_CONTROL = ("params", "steps", "rerun", "cancel", "suspend", "approvals")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind` is ``phase``, ``param``, ``spec``, ``step``, ``input``, ``image``, ``code``, ``output`` or ``metric``; None where a run does not have it."""

    kind: str
    where: str
    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Side:
    """A run, and the record of each task by which its result stands."""

    run: Run
    records: Mapping[str, Mapping[str, Any]]


def compare(left: Side, right: Side) -> list[Difference]:
    """In the order of the kinds, each in the order of its names."""
    return list(_differences(left, right))


def plain(left: Side, right: Side, found: list[Difference]) -> dict[str, Any]:
    """As JSON."""
    return plain_differences(left.run.id, right.run.id, found)


def plain_differences(left: str, right: str, found: list[Difference]) -> dict[str, Any]:
    """As JSON, under what the two are called."""
    return {"left": left, "right": right, "same": not found, "differences": [asdict(one) for one in found]}


def text(left: Side, right: Side, found: list[Difference]) -> str:
    """As a table."""
    return differences(left.run.id, right.run.id, found)


def differences(left: str, right: str, found: list[Difference]) -> str:
    """As a table, under what the two are called."""
    if not found:
        return f"{left} and {right} do not differ"
    rows = [[one.kind, one.where, _shown(one.left), _shown(one.right)] for one in found]
    return table(["WHAT", "WHERE", left, right], rows)


def _differences(left: Side, right: Side) -> Iterator[Difference]:
    one, other = left.run.resource.get("spec") or {}, right.run.resource.get("spec") or {}
    if left.run.phase is not right.run.phase:
        yield Difference("phase", "", str(left.run.phase), str(right.run.phase))
    yield from _deep("param", one.get("params") or {}, other.get("params") or {}, "")
    rest = [{name: value for name, value in spec.items() if name not in _CONTROL} for spec in (one, other)]
    yield from _deep("spec", rest[0], rest[1], "")
    yield from _deep("spec", _by_name(one.get("steps")), _by_name(other.get("steps")), "")
    tasks = sorted({*left.records, *right.records})
    for task in tasks:
        if (task in left.records) != (task in right.records):
            yield Difference("step", task, *(_standing(side, task) for side in (left, right)))
    both = [task for task in tasks if task in left.records and task in right.records]
    for kind, fields in _FIELDS:
        for task in both:
            yield from _of_task(kind, fields, task, left.records[task], right.records[task])


_FIELDS = (
    ("param", ("params",)),
    ("input", ("inputs",)),
    ("image", ("image", "imageDigest")),
    ("code", ("code",)),
    ("output", ("outputs", "parameters")),
    ("metric", ("metrics",)),
)


def _of_task(
    kind: str, fields: tuple[str, ...], task: str, left: Mapping[str, Any], right: Mapping[str, Any]
) -> Iterator[Difference]:
    for field in fields:
        one, other = left.get(field), right.get(field)
        if kind in ("image", "code"):  # a result that was taken from the cache does not say what ran
            if one and other and one != other:
                yield Difference(kind, task if field != "imageDigest" else f"{task} (digest)", one, other)
            continue
        for name in sorted({*(one or {}), *(other or {})}):
            values = [_value((found or {}).get(name)) for found in (one, other)]
            if _differ(*values):
                yield Difference(kind, f"{task}.{name}", *values)


def _value(found: Any) -> Any:
    """A reference is its digest."""
    return found["digest"] if isinstance(found, Mapping) and "digest" in found else found


def _standing(side: Side, task: str) -> str | None:
    if task in side.records:
        return "Succeeded"
    phase = side.run.known.get(task, {}).get("phase")
    return str(phase) if phase else None


def _by_name(steps: Any) -> dict[str, Any]:
    """Lists of things with names as maps, so that what was put between two is no difference of those after it."""
    return {"steps": _named(steps or [])}


def _named(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _named(one) for key, one in value.items()}
    if isinstance(value, list):
        names = [one.get("name") if isinstance(one, Mapping) else None for one in value]
        if value and all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return {
                str(name): _named({key: one[key] for key in one if key != "name"})
                for name, one in zip(names, value, strict=True)
            }
    return value


def _deep(kind: str, left: Any, right: Any, path: str) -> Iterator[Difference]:
    if isinstance(left, Mapping) and isinstance(right, Mapping) and (left or right):
        for name in sorted({*left, *right}):
            where = f"{path}.{name}" if path else str(name)
            yield from _deep(kind, left.get(name, _ABSENT), right.get(name, _ABSENT), where)
    elif _differ(left, right):
        yield Difference(kind, path, *(None if value is _ABSENT else value for value in (left, right)))


def _differ(left: Any, right: Any) -> bool:
    """In JSON: there true is not 1."""
    return bool(left != right) or isinstance(left, bool) != isinstance(right, bool)


def _shown(value: Any) -> str:
    line = "-" if value is None else " ".join(as_text(value).split())
    if line.startswith("sha256:") and len(line) == len("sha256:") + 64:
        return line[:19]
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"

"""What a statement says of a run, and how it is found out that something is not so any more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mlworkflow.attest.check import disagreements
from mlworkflow.attest.evidence import of_bytes
from mlworkflow.attest.statement import OPERATOR, Builder, Evidence, encode, statement
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store.records import Record
from mlworkflow.store.records import encode as encoded

BUILDER = Builder(OPERATOR, "1.2")
A, B, C, D, E = (f"sha256:{letter * 64}" for letter in "abcde")
Json = dict[str, Any]


def evidence(task: str, attempt: int = 0, **fields: Any) -> dict[tuple[str, int], Evidence]:
    outputs = {name: ArtifactRef(digest, 1) for name, digest in fields.pop("outputs", {}).items()}
    common = {"exit_code": 0, "workflow": "w", "step": task, "kind": "container"}
    record = Record(**{**common, **fields}, task=task, attempt=attempt, outputs=outputs)
    return {(task, attempt): of_bytes(encoded(record))}


def resource(*steps: Json, **spec: Any) -> Json:
    return {
        "metadata": {"name": "w", "namespace": "ml", "uid": "uid-1", "generation": 2},
        "spec": {"steps": [], **spec},
        "status": {
            "phase": "Succeeded",
            "startedAt": "2026-01-01T00:00:00.000Z",
            "finishedAt": "2026-01-01T00:01:00.000Z",
            "steps": list(steps),
        },
    }


def shown(name: str, phase: str = "Succeeded", attempts: int = 1) -> Json:
    return {"name": name, "phase": phase, "attempts": attempts}


RECORDS = {
    **evidence("prep", inputs={"raw": E}, outputs={"train": A}, image="steps@" + D),
    **evidence("train", 0, exit_code=1, reason="Error", outputs={"model": C}),
    **evidence("train", 1, inputs={"train": A}, outputs={"model": B}, image="tag:1", image_digest=D, code=E),
}
RUN = resource(shown("prep"), shown("train", attempts=2))


def test_it_names_what_the_run_left_and_what_it_was_made_from() -> None:
    said = statement(RUN, RECORDS, BUILDER)
    assert (said["_type"], said["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert said["subject"] == [
        {"name": "prep.train", "digest": {"sha256": "a" * 64}},
        {"name": "train.model", "digest": {"sha256": "b" * 64}},
    ]
    assert said["predicate"]["buildDefinition"]["resolvedDependencies"] == [
        {"name": "prep.raw", "digest": {"sha256": "e" * 64}},
        {"uri": "steps@" + D, "digest": {"sha256": "d" * 64}},
        {"uri": "tag:1", "digest": {"sha256": "d" * 64}},
        {"name": "code", "digest": {"sha256": "e" * 64}},
    ]
    details = said["predicate"]["runDetails"]
    assert details["builder"] == {"id": OPERATOR, "version": {"mlworkflow": "1.2"}}
    assert details["metadata"]["invocationId"] == "uid-1"
    assert [one["name"] for one in details["byproducts"]] == ["prep/0.json", "train/0.json", "train/1.json"]


@pytest.mark.parametrize(
    ("task", "counts"),
    [
        (shown("a", "Skipped"), False),
        (shown("a", attempts=2), False),
        (shown("a", "Failed"), False),
        (shown("a"), True),
    ],
)
def test_only_what_the_status_stands_by_is_a_subject(task: Json, counts: bool) -> None:
    said = statement(resource(task), evidence("a", outputs={"x": A}), BUILDER)
    assert [one["name"] for one in said["subject"]] == (["a.x"] if counts else ["records"])


def test_what_is_below_a_step_counts_although_a_large_status_leaves_it_out() -> None:
    records = {**evidence("fan/7", outputs={"x": A}), **evidence("gone", outputs={"x": B})}
    assert [one["name"] for one in statement(resource(), records, BUILDER)["subject"]] == ["fan/7.x"]


def test_the_headers_of_webhooks_are_not_told() -> None:
    hook = {"url": "http://x", "headers": {"Authorization": "secret"}}
    steps = [{"name": "a", "onSuccess": hook, "steps": [{"name": "b", "onFailure": hook}]}]
    said = encode(statement(resource(steps=steps, onExit={"always": [{"name": "c", "onFailure": hook}]}), {}, BUILDER))
    assert b"secret" not in said
    assert b'"name":"b"' in said
    assert b'"name":"c"' in said


def found(run: Json = RUN, records: dict[tuple[str, int], Evidence] = RECORDS, **changes: Any) -> list[str]:
    said = statement(RUN, RECORDS, BUILDER)
    return disagreements(encode({**said, **changes}), run, records)


def test_nothing_is_wrong_with_what_nobody_touched() -> None:
    assert found() == []


def test_each_record_that_changed_went_or_came_is_named() -> None:
    changed = {**RECORDS, **evidence("prep", inputs={"raw": E}, outputs={"train": C}, image="steps@" + D)}
    record, *rest = found(records=changed)
    assert record.startswith("record prep/0.json was changed since it was signed: sha256:")
    assert f"artifact prep.train is another one in its record: {C}, signed was {A}" in rest
    less = {attempt: one for attempt, one in RECORDS.items() if attempt != ("train", 0)}
    assert found(records=less) == ["record train/0.json is in the statement, and is not there any more"]
    more = {**RECORDS, **evidence("z", exit_code=1)}
    assert found(records=more) == ["record z/0.json is not in the statement"]


def test_a_status_a_spec_or_a_time_that_changed_is_named() -> None:
    assert found({**RUN, "spec": {"steps": [], "params": {"seed": 2}}}) == ["the spec is not the one that was signed"]
    edited = {**RUN, "spec": {"x": 1}, "metadata": {**RUN["metadata"], "generation": 3}}
    assert found(edited) == [], "what was edited after the end is not what ran"
    assert found({**RUN, "status": {**RUN["status"], "phase": "Failed"}}) == [
        "mlworkflow_phase: the run says 'Failed', the statement 'Succeeded'"
    ]
    (said,) = found({**RUN, "status": {**RUN["status"], "finishedAt": "2026-01-01T00:02:00.000Z"}})
    assert said.startswith("the statement is of another end of this run")
    (said,) = found({**RUN, "metadata": {**RUN["metadata"], "uid": "uid-2"}})
    assert said == "the statement is of another run (uid-1, not uid-2)"


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", json.dumps({"_type": 1, "predicateType": 2}).encode()])
def test_what_is_no_statement_is_told_so(payload: bytes) -> None:
    assert disagreements(payload, RUN, RECORDS) == ["the statement does not have the form of SLSA provenance"]
    (said,) = found(predicateType="https://example.com")
    assert said == "the statement is of another kind: https://example.com"

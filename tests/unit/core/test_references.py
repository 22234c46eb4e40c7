"""Inputs by reference: what a workflow with them is, and what is wrong with it before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.actions import LookUp
from mlworkflow.core.errors import SpecError
from mlworkflow.core.observation import Result
from mlworkflow.core.origins import Origin
from mlworkflow.core.pods import PodSettings, step_pod
from mlworkflow.core.references import name_of
from mlworkflow.core.state import Phase

from tests.builders import WorkflowBuilder, a_workflow, artifact, order_of
from tests.unit.core.play import Play

URL = "https://example.org/data/bikes.csv"
SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
IMPORT = name_of(Origin(http=URL))
SETTINGS = PodSettings("http://gateway", "steps", "agent")


def by(**reference: Any) -> dict[str, Any]:
    return {"from": reference}


def taking(**reference: Any) -> WorkflowBuilder:
    return a_workflow().step("use", inputs={"data": by(**reference)})


def problems(builder: WorkflowBuilder) -> list[str]:
    with pytest.raises(SpecError) as error:
        builder.plan()
    return [str(problem) for problem in error.value.problems]


def test_a_reference_is_a_step_that_runs_first_and_whose_artifact_is_the_input() -> None:
    play = Play(a_workflow().step("other").step("use", inputs={"data": by(http=URL)}).having(parallelism=1)).turn()
    assert play.started == [IMPORT]
    assert (play.orders[0].step.kind.name, play.orders[0].spec) == ("import", {"http": URL})
    play.succeeds(IMPORT).turn()
    assert play.started == ["other"]
    play.succeeds("other").turn()
    assert play.orders[0].inputs == {"data": artifact(f"{IMPORT}.data")}


def test_the_same_reference_is_one_step_wherever_it_stands() -> None:
    inner = a_workflow().step("deep", inputs={"x": by(http=URL)})
    builder = taking(http=URL).step("again", inputs={"y": by(http=URL), "z": by(http=URL, sha256=SHA)})
    builder = builder.group("folds", inner).having(
        onExit={"always": [{"name": "end", "inputs": {"x": by(http=URL)}, "container": {"image": "i"}}]}
    )
    workflow = builder.parsed()
    pinned = name_of(Origin(http=URL, sha256=SHA))
    assert list(workflow.steps) == [IMPORT, pinned, "use", "again", "folds"]
    assert workflow.steps["folds"].steps["deep"].inputs["x"].sources == ((IMPORT, "data"),)
    assert workflow.on_exit["end"].inputs["x"].sources == ((IMPORT, "data"),)
    builder.plan()


def test_every_retry_and_every_rerun_has_the_bytes_that_the_run_began_with() -> None:
    play = Play(a_workflow().step("use", inputs={"data": by(http=URL)}, retry={"limit": 1, "backoff": "1s"})).turn()
    play.succeeds(IMPORT).turn()
    first = play.orders[0].inputs
    play.fails("use").turn().turn(after=2)
    assert (play.started, play.orders[0].inputs) == (["use#1"], first)
    play.fails("use").turn()
    play.asks_again().turn()
    assert (play.started, play.orders[0].inputs) == (["use#2"], first)


def test_expressions_in_it_speak_of_params() -> None:
    play = Play(taking(http="${{ params.base }}/bikes.csv").param("base", "https://example.org")).turn()
    assert play.orders[0].spec == {"http": "https://example.org/bikes.csv"}


def test_a_dataset_is_looked_up_once_and_without_a_pod() -> None:
    play = Play(taking(dataset="bikes")).turn()
    (asked,) = play.asked(LookUp)
    assert (play.started, asked.name, asked.version) == ([], "bikes", "")
    play.results[asked.task, 0] = Result(0, outputs={"data": artifact("v2")}, fingerprint=asked.fingerprint)
    play.turn()
    assert play.orders[0].inputs == {"data": artifact("v2")}
    assert play.asked(LookUp) == []
    play.fails("use").turn()
    play.asks_again().turn()
    assert play.orders[0].inputs == {"data": artifact("v2")}
    assert play.asked(LookUp) == []


def test_a_version_of_a_dataset_is_named_by_its_digest() -> None:
    (asked,) = Play(taking(dataset=f"bikes@sha256:{SHA}")).turn().asked(LookUp)
    assert (asked.name, asked.version) == ("bikes", f"sha256:{SHA}")


def test_a_name_that_turns_out_to_be_none_fails_the_run_and_names_the_field() -> None:
    play = Play(taking(dataset="${{ params.name }}").param("name", "No Name")).turn().turn()
    assert play.run.phase is Phase.FAILED
    assert "spec.steps[0].inputs.data.from.dataset: 'No Name' is neither" in play.run.message


def test_what_is_wrong_with_a_reference_is_final_whatever_retry_says() -> None:
    play = Play(taking(http=URL, sha256=SHA).having(defaults={"retry": {"limit": 5}})).turn()
    task = play.orders[0].task
    play.fails(task, "InputInvalid", "sha256: it has other bytes").turn()
    assert play.is_(task, Phase.FAILED, "InputInvalid")
    assert play.task(task).message == "spec.steps[0].inputs.data.from.sha256: it has other bytes"
    assert play.is_("use", Phase.SKIPPED, "DependencyFailed")


def test_a_server_that_is_away_is_tried_again_without_being_asked_to() -> None:
    play = Play(taking(http=URL)).turn().fails(IMPORT, "SourceUnavailable", "http: no answer").turn()
    assert play.is_(IMPORT, Phase.PENDING, "SourceUnavailable")
    assert play.turn(after=20).started == [f"{IMPORT}#1"]


def test_it_has_what_defaults_say_but_for_the_image() -> None:
    play = Play(taking(http=URL).having(defaults={"image": "mine", "nodeSelector": {"zone": "a"}})).turn()
    pod = step_pod(play.orders[0], SETTINGS)
    assert pod["spec"]["containers"][0]["image"] == "steps"
    assert pod["spec"]["nodeSelector"] == {"zone": "a"}


def test_the_keys_of_a_bucket_are_in_its_own_pod_by_reference_and_in_no_other() -> None:
    play = Play(taking(s3="bucket/key", secret="my-keys")).turn()
    env = step_pod(play.orders[0], SETTINGS)["spec"]["containers"][0]["env"]
    found = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in env if "valueFrom" in one}
    assert found == {
        "AWS_ACCESS_KEY_ID": {"name": "my-keys", "key": "accessKey"},
        "AWS_SECRET_ACCESS_KEY": {"name": "my-keys", "key": "secretKey"},
    }
    play.succeeds(play.orders[0].task).turn()
    assert "my-keys" not in str(step_pod(play.orders[0], SETTINGS))


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ({}, ": name exactly one of: http, s3, dataset, model"),
        ({"http": URL, "dataset": "x"}, ": name exactly one of: http, s3, dataset, model; this names http and dataset"),
        ({"http": "ftp://x/y"}, ".http: is an address that begins with http:// or https://"),
        ({"http": "https://"}, ".http: is an address that begins with http:// or https://"),
        ({"http": "https://h:99999/x"}, ".http: is no address"),
        ({"http": "https://me:secret@h/x"}, ".http: holds a user or a password, which everybody could read who sees the workflow"),
        ({"http": URL, "secret": "x"}, ".secret: belongs to `s3`, not to `http`"),
        ({"http": URL, "sha256": "abc"}, ".sha256: is 64 hexadecimal digits, lower case"),
        ({"s3": "bucket"}, ".s3: is bucket/key"),
        ({"s3": "bucket/"}, ".s3: is bucket/key"),
        ({"s3": "b/k", "endpoint": "store:9000"}, ".endpoint: is an address that begins with http:// or https://"),
        ({"s3": "b/k", "secret": "My_Keys"}, ".secret: is no name of a Secret"),
        ({"dataset": "Bikes"}, ".dataset: is NAME or NAME@sha256:<64 hexadecimal digits>, the name as that of a step"),
        ({"dataset": "bikes@sha256:12"}, ".dataset: is NAME or NAME@sha256:<64 hexadecimal digits>, the name as that of a step"),
        ({"dataset": "bikes", "sha256": SHA}, ".sha256: is part of a dataset's name: dataset: NAME@sha256:…"),
        ({"http": "${{ params.nope }}"}, ".http: 'params.nope': spec.params has no 'nope'"),
        ({"http": "${{ steps.a.outputs.x }}"}, ".http: 'steps.a.outputs.x': 'steps' is not known at the start of a run; params and workflow are"),
    ],
)  # fmt: skip
def test_mistakes_name_the_field(reference: dict[str, Any], words: str) -> None:
    assert problems(taking(**reference)) == [f"spec.steps[0].inputs.data.from{words}"]


def test_a_mistake_in_a_group_names_its_place_there() -> None:
    inner = a_workflow().step("first").step("deep", inputs={"x": by(s3="b")})
    assert problems(a_workflow().step("a").group("g", inner)) == [
        "spec.steps[1].steps[1].inputs.x.from.s3: is bucket/key"
    ]


def test_other_problems_are_counted_as_they_are_written() -> None:
    (found,) = problems(taking(http=URL).step("b", inputs="nobody.x"))
    assert found.startswith("spec.steps[1].inputs.x.from: there is no step 'nobody'")


def test_a_name_of_ours_is_not_free() -> None:
    (found,) = problems(taking(http=URL).step(IMPORT))
    assert found == f"spec.steps[0].inputs.data.from: stands for a step '{IMPORT}', and there is one of this name"


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ({"http": f"{URL}?token=abc"}, "import-bikes-csv-"),
        ({"http": "${{ params.url }}"}, "import-data-"),
        ({"s3": "open/2024/Räder & more.parquet"}, "import-r-der-more-parquet-"),
        ({"dataset": f"bikes@sha256:{SHA}"}, "dataset-bikes-"),
    ],
)
def test_a_name_says_what_it_is_of(reference: dict[str, Any], name: str) -> None:
    assert name_of(Origin(**reference))[:-8] == name


def test_an_import_that_is_pinned_is_taken_from_the_cache_and_no_other() -> None:
    kind = order_of(taking(http=URL), IMPORT).step.kind
    assert kind.unpinned({"http": URL}) == "http"
    assert kind.unpinned({"s3": "b/k"}) == "s3"
    assert kind.unpinned({"http": URL, "sha256": SHA}) == ""
    assert kind.unpinned({"s3": "b/k", "version": "3"}) == ""

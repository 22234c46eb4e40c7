"""OpenLineage events of plays: which there are, and that the standard's own classes read them without a word too many or too few."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mlworkflow.core.state import Run
from mlworkflow.engine.openlineage import changes, task_run_id, workflow_run_id
from mlworkflow.engine.telling import Turned
from openlineage.client import event_v2, facet_v2
from openlineage.client.serde import Serde

from tests.builders import WorkflowBuilder, a_workflow, artifact
from tests.unit.core.play import Play

Json = dict[str, Any]
FACETS = {
    "parent": facet_v2.parent_run.ParentRunFacet,
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
    "outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
}


class Told(Play):
    """A play whose every turn is told."""

    def __init__(self, workflow: WorkflowBuilder) -> None:
        super().__init__(workflow)
        self.events: list[Json] = []

    def turn(self, after: float = 0.0) -> Told:
        before = self.run
        super().turn(after)
        self.events += changes(Turned.between(self.plan, before, self.run), "ml", "1.2", self.now)
        return self

    @property
    def brief(self) -> list[str]:
        return [f"{event['eventType']} {event['job']['name']}" for event in self.events]


def _facets(raw: Json) -> Json:
    made = {}
    for name, facet in raw.items():
        fields = {key: value for key, value in facet.items() if key not in ("_producer", "_schemaURL")}
        if name == "parent":
            parent = facet_v2.parent_run
            fields["run"], fields["job"] = parent.Run(**fields["run"]), parent.Job(**fields["job"])
            root = fields["root"]
            fields["root"] = parent.Root(parent.RootRun(**root["run"]), parent.RootJob(**root["job"]))
        made[name] = FACETS[name](**fields, producer=facet["_producer"])
    return made


def _datasets(made: type, raw: list[Json]) -> list[Any]:
    return [
        made(**{key: _facets(value) if key.endswith("acets") else value for key, value in one.items()}) for one in raw
    ]


def check(event: Json) -> None:
    """Raises where a field is missing, unknown or malformed; what the standard's client would send is what we send."""
    fields = {**event}
    fields["run"] = event_v2.Run(event["run"]["runId"], _facets(event["run"]["facets"]))
    fields["job"] = event_v2.Job(event["job"]["namespace"], event["job"]["name"], _facets(event["job"]["facets"]))
    fields["eventType"] = event_v2.RunState[event["eventType"]]
    fields["inputs"] = _datasets(event_v2.InputDataset, event["inputs"])
    fields["outputs"] = _datasets(event_v2.OutputDataset, event["outputs"])
    schema = fields.pop("schemaURL")
    made = event_v2.RunEvent(**fields)
    assert made.schemaURL == schema
    assert _unversioned(_filled(json.loads(Serde.to_json(made)))) == _unversioned(_filled(event))


def _filled(value: Any) -> Any:
    """Without what is empty, which the client leaves out here and there."""
    if isinstance(value, dict):
        return {key: _filled(one) for key, one in value.items() if one not in (None, {}, [])}
    return [_filled(one) for one in value] if isinstance(value, list) else value


def _unversioned(value: Any) -> Any:
    """Schemas grow by minor versions, which the installed client need not have in common with us."""
    if isinstance(value, dict):
        return {key: one.rpartition("/")[2] if key == "_schemaURL" else _unversioned(one) for key, one in value.items()}
    return [_unversioned(one) for one in value] if isinstance(value, list) else value


TWO = a_workflow().step("prep", outputs="data").step("train", inputs={"train": "prep.data"}, outputs="model")


def test_a_run_from_its_start_to_its_end() -> None:
    play = Told(TWO).turn()
    assert play.brief == ["START w", "START w.prep"]
    play.succeeds("prep").turn(5.0)
    play.succeeds("train").turn(5.0)
    assert play.brief[2:] == ["COMPLETE w.prep", "START w.train", "COMPLETE w.train", "COMPLETE w"]
    for event in play.events:
        check(event)
    train = play.events[-2]
    data, model = artifact("prep.data"), artifact("train.model")
    (read,), (left,) = train["inputs"], train["outputs"]
    assert (read["namespace"], read["name"]) == ("ml", "w.prep.data")
    assert read["facets"]["version"]["datasetVersion"] == data.digest
    assert (left["name"], left["facets"]["version"]["datasetVersion"]) == ("w.train.model", model.digest)
    assert left["outputFacets"]["outputStatistics"]["size"] == model.size
    parent = train["run"]["facets"]["parent"]
    assert parent["run"]["runId"] == workflow_run_id("uid-1") == play.events[0]["run"]["runId"]
    assert parent["job"] == {"namespace": "ml", "name": "w"}
    assert train["run"]["runId"] == task_run_id("uid-1", "train", 0)


def test_a_failure_says_why_and_an_attempt_is_a_run_of_its_own() -> None:
    play = Told(a_workflow().step("a", retry={"limit": 1, "backoff": "1s"})).turn()
    play.fails("a", message="no such column").turn()
    assert play.brief[-1] == "FAIL w.a"
    assert "no such column" in play.events[-1]["run"]["facets"]["errorMessage"]["message"]
    play.turn(60.0)
    play.fails("a").turn()
    runs = [event["run"]["runId"] for event in play.events if event["job"]["name"] == "w.a"]
    assert runs == [task_run_id("uid-1", "a", n) for n in (0, 0, 1, 1)]
    assert play.brief[2:] == ["FAIL w.a", "START w.a", "FAIL w.a", "FAIL w"]
    for event in play.events:
        check(event)


def test_items_are_runs_of_the_steps_job_below_the_whole() -> None:
    play = Told(a_workflow().step("fan", forEach=["x", "y"])).turn()
    assert play.brief == ["START w", "START w.fan", "START w.fan", "START w.fan"]
    whole, item = play.events[1], play.events[2]
    assert item["run"]["facets"]["parent"]["run"]["runId"] == whole["run"]["runId"]
    assert item["run"]["facets"]["parent"]["root"]["run"]["runId"] == play.events[0]["run"]["runId"]
    for event in play.events:
        check(event)


def test_what_was_cancelled_is_aborted_and_what_never_ran_is_not_told() -> None:
    play = Told(TWO).turn()
    play.change(cancel=True).turn()
    play.ends("prep", exit_code=None, reason="Cancelled", lost=True).turn()
    play.vanishes("prep").turn()
    assert play.brief[2:] == ["ABORT w.prep", "ABORT w"]
    for event in play.events:
        check(event)


def test_nothing_is_told_twice_by_a_restart() -> None:
    play = Told(TWO).turn()
    play.restarts()
    play.turn(1.0)
    assert play.brief == ["START w", "START w.prep"]


@pytest.mark.parametrize("change", [{"schemaURL": "x"}, {"run": {"runId": "no uuid", "facets": {}}}, {"more": 1}])
def test_the_check_itself_finds_what_is_wrong(change: Json) -> None:
    event = changes(Turned.between(TWO.plan(), Run(), Told(TWO).turn().run), "ml", "1", 0.0)[0]
    with pytest.raises((TypeError, ValueError, AssertionError)):
        check({**event, **change})

"""A request to run steps again: written down first, carried out once, whatever comes in between."""

from __future__ import annotations

from pathlib import Path

from tests.builders import a_workflow

from .cluster import given, operating, pod_of, refused

_BODY = {"image": "i", "command": ["c"], "agent": True}
_PAIR = a_workflow().kind("a", "container", _BODY).kind("b", "container", _BODY, after=["a"])


async def test_what_failed_runs_again_and_its_request_is_written_before_its_pod_exists(tmp_path: Path) -> None:
    api = given(_PAIR)
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "a"))
        await operator.work(pod_of(api, "b"), exit_code=1)
        assert api.status()["phase"] == "Failed"
        before = dict(api.writes)
        api.edit(rerun={"id": "one"})
        await operator.settled()
        assert api.status()["rerun"] == "one"
        assert api.writes["create pods"] == before["create pods"] + 1
        assert api.writes["patch mlworkflows/status"] == before["patch mlworkflows/status"] + 2
        order = [call for call in api.log if call in ("create pods", "patch mlworkflows/status")]
        assert order[-3:] == ["patch mlworkflows/status", "create pods", "patch mlworkflows/status"]
        await operator.work(pod_of(api, "b", 1))
        assert api.status()["phase"] == "Succeeded"
        assert {step["name"]: step["attempts"] for step in api.status()["steps"]} == {"a": 1, "b": 2}


async def test_a_conflict_in_between_loses_no_request_and_doubles_none(tmp_path: Path) -> None:
    api = given(_PAIR)
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "a"), exit_code=1)
        api.on("patch mlworkflows/status", refused(409, "Conflict"), refused(409, "Conflict"))
        api.edit(rerun={"id": "one"})
        await operator.settled()
        await operator.work(pod_of(api, "a", 1))
        await operator.work(pod_of(api, "b"))
        assert api.status()["phase"] == "Succeeded"
        assert api.writes["create pods"] == 3


async def test_an_operator_that_comes_after_the_request_carries_it_out_once(tmp_path: Path) -> None:
    api = given(_PAIR)
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "a"))
        await operator.work(pod_of(api, "b"))
        assert api.status()["phase"] == "Succeeded"
    api.edit(rerun={"id": "one", "steps": ["b"]})
    async with operating(api, tmp_path) as operator:
        assert api.status()["phase"] == "Running"
    async with operating(api, tmp_path) as operator:
        assert len(api.pods) == 3
        await operator.work(pod_of(api, "b", 1))
        assert api.status()["phase"] == "Succeeded"
        assert api.writes["create pods"] == 3


async def test_a_request_that_names_no_step_is_told_and_changes_nothing(tmp_path: Path) -> None:
    api = given(_PAIR)
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "a"), exit_code=1)
        api.edit(rerun={"id": "one", "steps": ["zz"]})
        await operator.settled()
        assert api.status()["phase"] == "Failed"
        assert "there is no step 'zz'" in api.status()["message"]
        assert api.writes["create pods"] == 1

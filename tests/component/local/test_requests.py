"""What other processes ask of a local run: every request counts, in its order, whoever asks at the same moment."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

from mlworkflow.local.home import Home, LocalRun
from mlworkflow.local.requests import Requests
from mlworkflow.local.runner import LocalRunner

from tests.builders import a_workflow


def test_requests_of_many_at_once_are_all_there_and_go_when_they_are_done(tmp_path: Path) -> None:
    requests = Requests(tmp_path / "requests")

    def ask(who: int) -> None:
        for number in range(25):
            requests.add({"who": who, "number": number})

    threads = [threading.Thread(target=ask, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    had: list[dict[str, int]] = []
    while len(had) < 100:  # taken up while others go on asking
        assert any(thread.is_alive() for thread in threads) or len(had) + len(requests.pending()) == 100
        for path, patch in requests.pending():
            had.append(patch)
            requests.done(path)
    assert [[patch["number"] for patch in had if patch["who"] == who] for who in range(4)] == [[*range(25)]] * 4
    assert list(tmp_path.iterdir()) == []


async def test_a_runner_takes_up_requests_one_after_the_other(tmp_path: Path) -> None:
    home = Home(tmp_path)
    builder = a_workflow()
    for number in range(8):
        builder = builder.kind(f"ask{number}", "approve", {})
    shown: list[LocalRun] = []
    runner = LocalRunner(home, builder.resource(), shown.append, look=0.02)
    execution = asyncio.create_task(runner.execute())
    requests = home.requests(runner.run)
    requests.add({"suspend": True})
    requests.add({"steps": [{"name": "no", "kind": "at all"}]})  # what is not sound changes nothing
    requests.add({"suspend": None})
    for number in range(8):
        answer = {"approved": True, "by": f"p{number}"}
        requests.add({"approvals": {f"ask{number}": answer}})
    run = await asyncio.wait_for(execution, 30)
    assert run.resource["status"]["phase"] == "Succeeded"
    assert [step["outputs"]["by"] for step in run.resource["status"]["steps"]] == [f"p{number}" for number in range(8)]
    assert run.resource["metadata"]["generation"] == 11
    kept = home.run("w")
    assert kept is not None
    assert json.dumps(kept.resource, sort_keys=True) == json.dumps(run.resource, sort_keys=True)


async def test_a_request_that_nobody_heard_counts_when_the_run_goes_on(tmp_path: Path) -> None:
    home = Home(tmp_path)
    resource = a_workflow().kind("ask", "approve", {}).resource()
    began = asyncio.Event()
    first = LocalRunner(home, resource, lambda run: began.set(), look=60.0)
    execution = asyncio.create_task(first.execute())
    await asyncio.wait_for(began.wait(), 30)
    home.requests(first.run).add({"steps": []})  # what is not sound is in nobody's way
    home.requests(first.run).add({"approvals": {"ask": {"approved": True, "by": "me"}}})
    assert home.reclaim(first.run) is None, "nobody else may take it up meanwhile"
    execution.cancel()
    await asyncio.gather(execution, return_exceptions=True)
    found = home.run("w")
    assert found is not None
    assert found.resource["status"]["phase"] == "Running"
    lock = home.reclaim(found)
    assert lock is not None
    again = LocalRunner.again(home, found, lock, {}, lambda run: None)
    run = await asyncio.wait_for(again.execute(), 30)
    assert (run.uid, run.resource["status"]["phase"]) == (found.uid, "Succeeded")
    assert home.requests(run).pending() == []

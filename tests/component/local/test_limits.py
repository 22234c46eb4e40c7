"""Time limits of processes: the engine is told when one starts, or it would not look again in time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from mlworkflow.core.errors import UsageError
from mlworkflow.local.home import NAMESPACE, Home
from mlworkflow.local.runner import LocalRunner
from mlworkflow.store.records import load_run

from tests.builders import a_workflow


@pytest.mark.parametrize("limit", ["attemptTimeout", "timeout"])
async def test_a_process_that_runs_too_long_is_ended_in_time(tmp_path: Path, limit: str) -> None:
    step = a_workflow().step("a", ["sleep", "120"], terminationGracePeriodSeconds=1, **{limit: "1s"})
    began = time.monotonic()
    async with asyncio.timeout(60):
        run = await LocalRunner(Home(tmp_path), step.resource(), lambda _: None).execute()
    assert run.resource["status"]["steps"][0]["reason"] == "DeadlineExceeded"
    assert time.monotonic() - began < 30


async def test_how_long_an_agent_waits_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no part of what the step finds, nor of what it is taken for."""
    step = a_workflow().step(
        "a", ["sh", "-c", "tr '\\0' '\\n' < /proc/$PPID/environ | grep PATIENCE; env | grep MLWF_PATIENCE; true"]
    )
    digests = []
    for text, seconds in (("", "60"), ("90s", "90")):
        monkeypatch.setenv("MLWF_STORE_PATIENCE", text)
        run = await LocalRunner(Home(tmp_path), step.resource(), lambda _: None).execute()
        home = Home(tmp_path)
        log = (home.work(run.uid, "a", 0) / "agent.log").read_text().splitlines()
        assert [line for line in log if line.startswith("MLWF_PATIENCE")] == [f"MLWF_PATIENCE={seconds}"]
        digests.append(records(home, run.uid))
    assert digests[0] == digests[1]
    monkeypatch.setenv("MLWF_STORE_PATIENCE", "soon")
    with pytest.raises(UsageError, match="MLWF_STORE_PATIENCE must be a duration"):
        LocalRunner(Home(tmp_path), step.resource(), lambda _: None)


def records(home: Home, uid: str) -> list[str]:
    """What each attempt ran from."""
    return [record.fingerprint for record in load_run(home.store, NAMESPACE, uid).records.values()]

"""`mlwf get --tasks`: of many trials the status has a few, the records have all."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlworkflow.core import abridging
from mlworkflow.local.home import Home
from mlworkflow.local.runner import LocalRunner
from mlworkflow.runs.completing import completed
from mlworkflow.runs.local import LocalRuns

from tests.builders import a_workflow


async def test_every_task_that_has_a_record_is_shown_as_the_status_would_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = '[ "$MLWF_PARAM_P" != 5 ] || exit 3; echo "{\\"name\\": \\"acc\\", \\"value\\": 0.$MLWF_PARAM_P}" >> $MLWF_METRICS; echo > $MLWF_OUT/model'
    trial = {"container": {"image": "i", "command": ["sh", "-c", script]}, "outputs": {"model": {}}}
    builder = a_workflow().tune("t", {"p": {"int": {"min": 0, "max": 11}}}, trial=trial, trials={"maxFailed": 1})
    home = Home(tmp_path)
    runs = LocalRuns(home, "")
    whole = (await LocalRunner(home, builder.resource(), lambda _: None).execute()).resource["status"]["tasks"]
    assert (await completed(runs, await runs.get("w"))).status["tasks"] == whole
    monkeypatch.setattr(abridging, "MANY", 3)
    monkeypatch.setattr(abridging, "LAST", 2)
    kept = (await LocalRunner(home, builder.resource(), lambda _: None).execute()).resource["status"]["tasks"]
    assert len(kept) == 3
    shown = (await completed(runs, await runs.get("w"))).status["tasks"]
    assert [task["name"] for task in shown] == [f"t/{number}" for number in range(12)]
    for field in ("phase", "attempts", "reason", "params", "value", "artifacts"):
        assert [task.get(field) for task in shown] == [task.get(field) for task in whole], field

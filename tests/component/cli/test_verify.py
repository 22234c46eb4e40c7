"""`mlwf verify`: holds for what nobody touched, and names exactly what was touched."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.attest.keys import SigningKey

from tests.component.cli.conftest import Shell

Step = Callable[..., dict[str, Any]]


@pytest.fixture
def ran(mlwf: Shell, sh: Step) -> Shell:
    make = sh("one", 'echo hi > "$MLWF_OUT/x"', outputs={"x": {}})
    copy = sh(
        "two",
        'cp "$MLWF_IN/x" "$MLWF_OUT/y"; echo more >> "$MLWF_OUT/y"',
        outputs={"y": {}},
        inputs={"x": {"from": "one.x"}},
    )
    mlwf("run", mlwf.write("w", [make, copy]), "-q")
    return mlwf


def kept(shell: Shell, pattern: str) -> Path:
    (path,) = (shell.folder / ".mlworkflow").glob(pattern)
    path.chmod(0o600)
    return path


def problems(shell: Shell, *words: str) -> list[str]:
    found = shell.json("verify", "w", *words, code=1)
    assert found["verified"] is False
    return list(found["problems"])


def test_a_run_that_nobody_touched_verifies(ran: Shell) -> None:
    found = ran.json("verify", "w")
    assert (found["verified"], found["records"], found["artifacts"], found["problems"]) == (True, 2, 2, [])
    assert stat.S_IMODE(kept(ran, "signing.key").stat().st_mode) == 0o600
    assert found["key"] in ran("verify", "w")


def test_an_artifact_that_was_tampered_with_is_named(ran: Shell) -> None:
    digest = ran.json("get", "w")["status"]["steps"][0]["artifacts"]["x"]["digest"].removeprefix("sha256:")
    kept(ran, f"store/local/cas/sha256/{digest[:2]}/{digest[2:]}").write_text("ho\n")
    (said,) = problems(ran)
    assert said.startswith("artifact one.x has other bytes in the store: sha256:")
    assert ran.json("verify", "w", "--no-content")["verified"]
    kept(ran, f"store/local/cas/sha256/{digest[:2]}/{digest[2:]}").unlink()
    (said,) = problems(ran)
    assert said.startswith("artifact one.x cannot be read: ")


def test_a_record_that_was_tampered_with_is_named(ran: Shell) -> None:
    path = kept(ran, "store/local/runs/*/one/0.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "parameters": {"accuracy": 1.0}}))
    (said,) = problems(ran)
    assert said.startswith("record one/0.json was changed since it was signed: sha256:")
    path.write_text("{")
    assert problems(ran)[0].startswith("record one/0.json is no record: ")
    path.unlink()
    assert problems(ran)[0] == "record one/0.json is in the statement, and is not there any more"


def test_a_statement_that_was_tampered_with_is_refused(ran: Shell) -> None:
    path = kept(ran, "store/local/runs/*/provenance.json")
    signed = path.read_text()
    envelope = json.loads(signed)
    path.write_text(json.dumps({**envelope, "payload": envelope["payload"][:-8] + "AAAA" + envelope["payload"][-4:]}))
    assert problems(ran) == ["the statement: the signature is not of what is in it"]
    path.write_text("gone")
    assert problems(ran) == ["the statement: it is no DSSE envelope"]
    path.unlink()
    assert "w.1 has no signed statement" in ran("verify", "w", code=1)
    path.write_text(signed)
    resource = kept(ran, "runs/w.1.json")
    resource.write_text(resource.read_text().replace("echo hi", "echo ho"))
    assert problems(ran) == ["the spec is not the one that was signed"]


def test_another_key_is_not_trusted_and_the_old_one_can_be_given(ran: Shell) -> None:
    old = ran.folder / "old.pem"
    old.write_text(ran("public-key"))
    kept(ran, "signing.key").unlink()
    SigningKey.made(ran.folder / ".mlworkflow/signing.key")
    (said,) = problems(ran)
    assert said.startswith("the statement: it is signed with a key that is not given here (key id ")
    assert ran.json("verify", "w", "--key", "old.pem")["verified"]
    (ran.folder / ".mlworkflow/retired.pem").write_text(old.read_text())
    assert ran.json("verify", "w")["verified"]
    assert "no public key in PEM" in ran("verify", "w", "--key", "w.yaml", code=2)


def test_a_run_that_was_cut_off_before_it_was_signed_is_signed_by_the_next(ran: Shell) -> None:
    kept(ran, "store/local/runs/*/provenance.json").unlink()
    ran("run", "w.yaml", "-q")
    assert ran.json("verify", "w.1")["verified"]
    assert ran.json("verify", "w.2")["verified"]


def test_a_failed_run_is_signed_too(mlwf: Shell, sh: Step) -> None:
    mlwf("run", mlwf.write("w", [sh("a", "exit 3")]), "-q", code=1)
    found = mlwf.json("verify", "w")
    assert (found["verified"], found["artifacts"], found["records"]) == (True, 0, 1)

"""The user's process and its log, the waits between tries, and the little HTTP there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mlworkflow_steps.agent import wire
from mlworkflow_steps.agent.patience import Patience
from mlworkflow_steps.agent.process import CannotStart, Log, Process, oom_kills


def test_a_log_keeps_both_ends() -> None:
    log = Log(head=4, tail=6)
    for piece in (b"ab", b"cdef", b"ghi", b"jkl", b"mno"):
        log.write(piece)
    assert log.data() == b"abcd\n[... mlworkflow: truncated, 5 bytes of output left out ...]\njklmno"


def test_a_log_s_last_lines_are_bounded_in_number_and_size() -> None:
    log = Log()
    log.write(b"".join(b"line %d\n" % n for n in range(100)) + b"\xff\n\n")
    assert log.last_lines(3) == "line 98\nline 99\n\ufffd"
    log.write(b"x" * 10_000)
    assert len(log.last_lines()) == 2048
    assert Log().last_lines() == ""


def test_a_process_is_told_its_signals_anew_and_reads_nothing(tmp_path: Path) -> None:
    log = Log()
    script = "import signal, sys; print(signal.getsignal(signal.SIGTERM), sys.stdin.read() == '', signal.getsignal(signal.SIGPIPE))"
    ended = Process([sys.executable, "-c", script], {}, log).run(lambda _: None)
    assert (ended.code, ended.terminated, ended.out_of_memory) == (0, False, False)
    assert b"Handlers.SIG_DFL True" in log.data() or b"0 True" in log.data()


def test_a_process_that_will_not_end_is_killed() -> None:
    process = Process(
        ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"], {"PATH": "/usr/bin:/bin"}, Log()
    )
    ended = process.run(lambda _: process.terminate(0.1))
    assert (ended.code, ended.terminated) == (137, True)


@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("/etc/hostname", 126), ("/etc", 126)])
def test_a_command_that_cannot_run(command: str, code: int) -> None:
    with pytest.raises(CannotStart, match=command) as caught:
        Process([command], {}, Log()).run(lambda _: None)
    assert caught.value.code == code


def test_the_kernel_s_count_of_kills(tmp_path: Path) -> None:
    v1, v2 = tmp_path / "memory.oom_control", tmp_path / "memory.events"
    v1.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    v2.write_text("low 0\nhigh 0\nmax 7\noom 3\noom_kill 1\noom_group_kill 0\n")
    assert oom_kills([str(v1)]) == 2
    assert oom_kills([str(v2)]) == 1
    assert oom_kills([str(tmp_path / "none")]) == 0


def test_waits_double_and_end() -> None:
    now, slept = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    tries = Patience(60, sleep=sleep, clock=lambda: now[0], chance=lambda: 0.0, say=lambda _: None).tries("x")
    while tries.again("no"):
        pass
    assert slept[:4] == [0.05, 0.1, 0.2, 0.4]
    assert max(slept) == 7.5
    assert now[0] <= 60
    tries.reset()
    assert tries.again("no", after=30.0)
    assert slept[-1] == 30.0


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://gw", ("http", "gw", 80, "/")),
        ("http://gw:8080/v1/task?x=1", ("http", "gw", 8080, "/v1/task?x=1")),
        ("https://s3.example.com/b/k?X-Amz=1/2", ("https", "s3.example.com", 443, "/b/k?X-Amz=1/2")),
        ("http://[::1]:9000/x", ("http", "[::1]", 9000, "/x")),
        ("http://[::1]?q", ("http", "[::1]", 80, "/?q")),
    ],
)
def test_a_url_in_parts(url: str, parts: tuple[str, str, int, str]) -> None:
    assert wire.split(url) == parts


@pytest.mark.parametrize("url", ["gw:80", "ftp://x", "/blob/x", "http://x/\r\nHost: y", "http://x:port/"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|int"):
        wire.split(url)


def test_starting_the_agent_imports_little() -> None:
    """Each of these costs milliseconds before user code starts."""
    imports = "import mlworkflow_steps.agent.run, mlworkflow_steps.agent.__main__"
    code = f"import sys, mlworkflow_steps; before = set(sys.modules); {imports}; print(*set(sys.modules) - before)"
    steps = str(Path(__file__).parents[3] / "steps")
    said = subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": steps}, capture_output=True, text=True, check=True
    )
    loaded = set(said.stdout.split())
    heavy = {
        "ssl",
        "email",
        "http.client",
        "argparse",
        "logging",
        "tempfile",
        "subprocess",
        "threading",
        "tarfile",
        "shutil",
        "typing",
    }
    assert not heavy & loaded

"""What is different on a terminal: tables that are drawn anew, a bar for a long transfer, a question."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.component.cli.conftest import Shell

Step = Callable[..., dict[str, Any]]


@dataclass
class Terminal:
    """A process on a terminal of its own."""

    process: subprocess.Popen[str]
    end: int
    seen: str = ""

    def shows(self, words: str, seconds: float = 120) -> None:
        """Wait until the words have been shown."""
        deadline = time.monotonic() + seconds
        while words not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if not self._read(1.0) and self.process.poll() is not None:
                assert words in self.seen, self.seen

    def ended(self) -> int:
        """Everything is read until the process has ended; its code."""
        while self.process.poll() is None or self._read(0.1):
            self._read(0.1)
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        if not select.select([self.end], [], [], seconds)[0]:
            return False
        with contextlib.suppress(OSError):  # the other side is closed
            if piece := os.read(self.end, 65536):
                self.seen += piece.decode(errors="replace")
                return True
        return False


@contextlib.contextmanager
def terminal(shell: Shell, *words: str) -> Iterator[Terminal]:
    end, side = pty.openpty()
    shell = Shell(shell.folder, {**shell.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "30"})
    process = shell.start(*words, stdin=side, stdout=side, stderr=side)
    os.close(side)
    try:
        yield Terminal(process, end)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(end)


def test_a_long_transfer_has_a_bar_and_a_live_table_ends_with_ctrl_c(mlwf: Shell, sh: Step) -> None:
    big = sh("big", 'head -c 12000000 /dev/zero > "$MLWF_OUT/zeros"', outputs={"zeros": {}})
    ask = {"name": "ship", "approve": {"message": "Ship it?"}}
    waits = mlwf.start("run", mlwf.write("w", [big, ask]), "-q")
    try:
        with terminal(mlwf, "top", "--every", "0.5") as top:
            top.shows("mlwf approve w.1 ship")
            top.shows("Ctrl-C ends")
            top.process.send_signal(signal.SIGINT)
            assert top.ended() == 130
        with terminal(mlwf, "download", "w", "big.zeros", "zeros") as download:
            assert download.ended() == 0
            assert "big.zeros" in download.seen
            assert "MiB" in download.seen
        assert (mlwf.folder / "zeros").stat().st_size == 12_000_000
        assert [line["why"] for line in mlwf.json("top")] == ["approval"]
    finally:
        waits.send_signal(signal.SIGINT)
        waits.communicate(timeout=120)


def test_a_template_is_asked_for(mlwf: Shell) -> None:
    with terminal(mlwf, "init") as asked:
        asked.shows("Which one")
        os.write(asked.end, b"container\n")
        assert asked.ended() == 0
        assert "mlwf run workflow.yaml" in asked.seen
    assert (mlwf.folder / "container/workflow.yaml").is_file()

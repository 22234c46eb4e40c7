"""Choosing the parameters of trials: the client of `engine.sampling`, a process of its own.

Optuna is never imported here. The process starts when there is something to choose, ends after a while without work, and knows nothing that
the records of the trials do not say: when it dies, another is asked the same. Callers: `engine`, and `runs` for regular expressions.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mlworkflow.core import paths
from mlworkflow.core.actions import Choose, Judge
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.store.records import Chosen, Known

COMMAND = (sys.executable, "-m", "mlworkflow.engine.sampling")
IDLE = 60.0
"""Seconds without work after which the process ends."""
PATIENCE = 300.0
"""Seconds that a choice may take."""
SEARCH = 10.0
"""Seconds that a regular expression may take."""
TRIES = 3
"""Processes that may die over one question."""
LINE = 1 << 28
"""Bytes of one question or answer."""
_PASSED_ON = ("PATH", "PYTHONPATH", "HOME", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class ChoiceFailed(Exception):
    """Parameters cannot be chosen; the message says why, in words for the user."""


class _Reply(msgspec.Struct):
    chosen: list[Chosen] = []
    found: str | None = None
    every: list[str] = []
    pruned: dict[int, int] = {}
    error: str = ""


class Chooser:
    """One process at a time, for every workflow; questions wait for each other."""

    def __init__(self, command: tuple[str, ...] = COMMAND, idle: float = IDLE) -> None:
        self._command = command
        self._idle = idle
        self._process: Process | None = None
        self._lock = asyncio.Lock()
        self._retiring: asyncio.TimerHandle | None = None

    async def choose(
        self, action: Choose, known: Mapping[str, Chosen], prior: Sequence[Known] = ()
    ) -> dict[str, Chosen]:
        """The parameters of the next trials by task; `known` is what was chosen for those before, `prior` what another search has found. Raises ChoiceFailed."""
        first = len(action.told)
        reply = await self._ask({**question(action, known), "prior": prior}, PATIENCE)
        return {paths.numbered(action.task, first + index): chosen for index, chosen in enumerate(reply.chosen)}

    async def judge(self, uid: str, action: Judge) -> dict[int, int]:
        """The trials that are to be stopped, of those that are asked for: which of its values each ends with. Raises ChoiceFailed."""
        told = [
            {"values": trial.values, "finished": trial.is_finished, "pruned": trial.is_pruned, "curve": trial.curve}
            for trial in action.told
        ]
        asked = {"about": f"{uid}/{action.task}", "study": _plain(action.study), "told": told, "asked": action.asked}
        return (await self._ask(asked, PATIENCE)).pruned

    async def search(self, pattern: str, text: str) -> str | None:
        """The group of the last match of a regular expression; None where it matches nothing. Raises ChoiceFailed."""
        return (await self._ask({"pattern": pattern, "text": text}, SEARCH)).found

    async def search_all(self, pattern: str, text: str) -> list[str]:
        """As `search`, the group of every match."""
        return (await self._ask({"pattern": pattern, "text": text, "all": True}, SEARCH)).every

    async def close(self) -> None:
        """End the process."""
        async with self._lock:
            await self._end()

    async def _ask(self, question: Mapping[str, Any], patience: float) -> _Reply:
        line = msgspec.json.encode(question) + b"\n"
        async with self._lock:
            for _ in range(TRIES):
                if answer := await self._answer(line, patience):
                    break
            else:
                raise ChoiceFailed(f"the process that chooses parameters died {TRIES} times over it")
        return self._replied(answer)

    @staticmethod
    def _replied(answer: bytes) -> _Reply:
        reply = msgspec.json.decode(answer, type=_Reply)
        if reply.error:
            raise ChoiceFailed(reply.error)
        return reply

    async def _answer(self, line: bytes, patience: float) -> bytes:
        """One line for another; nothing where the process died over it. Raises ChoiceFailed where it takes too long."""
        try:
            async with asyncio.timeout(PATIENCE):
                process = await self._running()
            assert process.stdin
            assert process.stdout
            async with asyncio.timeout(patience):
                process.stdin.write(line)
                await process.stdin.drain()
                answer = await process.stdout.readline()
        except TimeoutError:
            await self._end()
            raise ChoiceFailed(f"it took more than {patience:.0f} s") from None
        except ConnectionError:
            answer = b""
        except BaseException:  # cancelled: what it answers would be taken for the answer to the next question
            await self._end()
            raise
        if not answer.endswith(b"\n"):
            await self._end()
            return b""
        self._retire_later()
        return answer

    async def _running(self) -> Process:
        if self._retiring:
            self._retiring.cancel()
        if self._process is None or self._process.returncode is not None:
            env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _THREADS
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=env, limit=LINE
            )
            assert self._process.stdout
            await self._process.stdout.readline()  # it is ready: no question's time goes by with its start
        return self._process

    def _retire_later(self) -> None:
        def retire() -> None:
            if self._process and not self._lock.locked() and self._process.stdin:
                self._process.stdin.close()  # which ends it
                self._process = None

        self._retiring = asyncio.get_running_loop().call_later(self._idle, retire)

    async def _end(self) -> None:
        if self._retiring:
            self._retiring.cancel()
        process, self._process = self._process, None
        if process and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def question(action: Choose, known: Mapping[str, Chosen]) -> dict[str, Any]:
    """What the process is asked: the study, its history, and how many trials follow."""
    told = []
    for number, trial in enumerate(action.told):
        noted = known.get(paths.numbered(action.task, number), Chosen({}))
        told.append(
            {
                "params": trial.params,
                "values": trial.values,
                "finished": trial.is_finished,
                "pruned": trial.is_pruned,
                "curve": trial.curve,
                "noted": noted.noted,
                "study": noted.study,
            }
        )
    return {"study": _plain(action.study), "names": action.names, "told": told, "count": action.count}


def _plain(study: Tune) -> dict[str, Any]:
    """A study without what its trials run."""
    return {**msgspec.to_builtins(study), "step": {}}

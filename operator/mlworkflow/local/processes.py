"""The driver that runs attempts as processes of this machine, each through the same agent as in a Pod."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import distributions
from pathlib import Path

from mlworkflow.core import tracing
from mlworkflow.core.actions import Order
from mlworkflow.core.cachefacts import Identity
from mlworkflow.core.observation import Attempt, AttemptId, Seen
from mlworkflow.core.pods import FOR_PUBLISH
from mlworkflow.engine import logs
from mlworkflow.engine.driver import ContainerEnd, Found, Refused
from mlworkflow.gateway._auth import LocalTokens
from mlworkflow.local.containers import Containers
from mlworkflow.local.home import Home
from mlworkflow.store.layout import AttemptKey

LOG = "agent.log"
TAIL = 1 << 16
LOOK = 0.2
"""Seconds between looks at a log that is followed."""


@dataclass(slots=True)
class _Process:
    process: asyncio.subprocess.Process
    attempt: Attempt
    folder: Path
    grace: float
    is_contained: bool
    waiter: asyncio.Task[None] | None = None


class ProcessDriver:
    """Implements the engine's `Driver`. `gateway` is the URL of the gateway on loopback; `on_change(uid, attempt)` says that a process began or ended; `clock` is the engine's.
    `patience` are the seconds that an agent waits for a store or a gateway that is away. With `containers`, the commands of `container` steps run in their images.
    """

    keeps_logs_apart = False
    is_synced = True

    def __init__(
        self,
        home: Home,
        tokens: LocalTokens,
        on_change: Callable[[str, AttemptId], None],
        clock: Callable[[], float] = time.time,
        patience: float = 60.0,
        containers: Containers | None = None,
    ) -> None:
        self._containers = containers
        self._patience = patience
        self._clock = clock
        self._home = home
        self._tokens = tokens
        self._on_change = on_change
        self._processes: dict[str, dict[AttemptId, _Process]] = {}
        self._code: asyncio.Task[str] | None = None
        self._installed = ""
        self.gateway = ""
        self.is_traced = False

    def attempts(self, uid: str) -> Mapping[AttemptId, Attempt]:
        return {key: process.attempt for key, process in self._processes.get(uid, {}).items()}

    def command(self, order: Order) -> tuple[str, ...]:
        if order.step.kind.command:
            return (sys.executable, *order.command[1:])
        if self._containers is None:
            return order.command
        return self._containers.command(order, self._home.work(order.uid, order.task, order.attempt))

    def _is_contained(self, order: Order) -> bool:
        return self._containers is not None and not order.step.kind.command

    async def start(self, order: Order, *others: Order) -> None:
        """There are no Pods to share here: each has a process."""
        for each in (order, *others):
            await self._start(each)

    async def _start(self, order: Order) -> None:
        key = (order.task, order.attempt)
        mine = self._processes.setdefault(order.uid, {})
        if key in mine:
            return
        if not order.command and self._containers is None:
            raise Refused(
                "a process needs the container's `command`: name it, or run the image itself, with --engine docker or podman"
            )
        if self._is_contained(order) and not order.image:
            raise Refused("the step has no image: name one in the step, in its container, or in spec.defaults")
        own = _variables(order)
        if self._is_contained(order):  # the others are the container's, and neither the agent's nor the engine's
            own = {name: value for name, value in own.items() if name in FOR_PUBLISH}
        folder = self._home.work(order.uid, *key)
        # What is there is of a runner that was killed before it could say that it had started this attempt.
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        token = folder / "token"
        with os.fdopen(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self._tokens.issue(AttemptKey(order.namespace, order.uid, *key)))
        with (folder / LOG).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mlworkflow_steps.agent", "run",
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={"MLWF_PATIENCE": f"{self._patience:g}", **os.environ, **self._trace(order), **own, "MLWF_ROOT": str(folder), "MLWF_GATEWAY": self.gateway, "MLWF_TOKEN_FILE": str(token)},
            )  # fmt: skip
        now = self._clock()
        running = Attempt(*key, handle=str(process.pid), seen=Seen.RUNNING, created_at=now, running_since=now)
        mine[key] = _Process(process, running, folder, order.step.grace, self._is_contained(order))
        mine[key].waiter = asyncio.create_task(self._wait(order.uid, key))
        self._on_change(order.uid, key)  # it runs, and so does its time

    def _trace(self, order: Order) -> dict[str, str]:
        """Where the step stands in the trace of its run."""
        return {tracing.VARIABLE: tracing.traceparent(order.uid, order.task, order.attempt)} if self.is_traced else {}

    async def _wait(self, uid: str, key: AttemptId) -> None:
        mine = self._processes[uid][key]
        code = await mine.process.wait()
        mine.attempt = replace(mine.attempt, seen=Seen.ENDED, exit_code=code if code >= 0 else 128 - code)
        shutil.rmtree(mine.folder / "in", ignore_errors=True)  # copies of what the store has
        self._on_change(uid, key)
        if self._containers and mine.is_contained and mine.attempt.exit_code:  # else it has ended by itself
            await self._containers.remove(uid, *key)

    async def stop(self, namespace: str, uid: str, attempt: AttemptId, handle: str, grace: int | None = None) -> None:
        mine = self._processes.get(uid, {}).get(attempt)
        if mine is None or mine.attempt.leaving or mine.attempt.seen is Seen.ENDED:
            return
        mine.attempt = replace(mine.attempt, leaving=True)
        with contextlib.suppress(ProcessLookupError):
            mine.process.terminate()
        asyncio.get_running_loop().call_later(mine.grace if grace is None else grace, self._kill, mine)

    def kill(self) -> None:
        """End whatever still runs, at once."""
        for mine in [process for attempts in self._processes.values() for process in attempts.values()]:
            self._kill(mine)

    def _kill(self, mine: _Process) -> None:
        if mine.process.returncode is None:
            for group in (*groups_in_session(mine.process.pid), mine.process.pid):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)

    async def wait_ended(self) -> None:
        """Return when no process is left."""
        waiters = [process.waiter for mine in self._processes.values() for process in mine.values() if process.waiter]
        await asyncio.gather(*waiters)

    async def find(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> Found:
        mine = self._processes.get(uid, {}).get(attempt)
        if mine is None:
            return Found(exists=False)
        return Found(exists=True, log=await self.log(namespace, uid, attempt, handle))

    async def log(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> bytes:
        path = self._home.work(uid, *attempt) / LOG
        return logs.last(path.read_bytes(), TAIL) if path.exists() else b""

    async def follow(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> AsyncGenerator[bytes, None]:
        mine = self._processes.get(uid, {}).get(attempt)
        if mine is None:
            return
        with (mine.folder / LOG).open("rb") as file:
            while True:
                is_over = mine.attempt.seen is Seen.ENDED  # asked before reading: nothing is missed
                while piece := file.read(1 << 16):
                    yield piece
                if is_over:
                    return
                await asyncio.sleep(LOOK)

    async def identity(self, order: Order) -> Identity:
        if not order.step.kind.command:
            if self._containers is not None:
                return await self._containers.identity(order.image)
            return Identity(
                unknown="a command of this machine has no digest; cache.salt can vouch for it", may_vouch=True
            )
        if os.environ.get("MLWF_ALLOWED_IMPORTS"):
            return Identity(unknown="MLWF_ALLOWED_IMPORTS lets the step import code that is not known")
        if self._code is None:
            self._code = asyncio.create_task(_own_code())
        if not order.step.kind.is_open(order.step.body):
            return Identity(code=await asyncio.shield(self._code))
        if os.environ.get("PYTHONPATH"):
            return Identity(unknown="PYTHONPATH lets the step import code that is not known", may_vouch=True)
        if not self._installed:
            self._installed = await asyncio.to_thread(_installed)
        return Identity(code=await asyncio.shield(self._code), image=self._installed, is_open=True)

    def image_digest(self, uid: str, attempt: AttemptId) -> str | None:
        return ""

    def container_end(self, uid: str, attempt: AttemptId) -> ContainerEnd | None:
        return None  # every local step has the agent around it

    def identify(self, namespace: str, pod: str, pod_uid: str, rider: str = "") -> tuple[str, AttemptId] | None:
        return None  # local tokens name their attempt themselves


async def _own_code() -> str:
    """The digest of the code and libraries that built-in kinds run here, by the agent's own word."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mlworkflow_steps.agent", "code", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return said.decode().strip()


def _installed() -> str:
    """The digest of all that is installed here, by names and versions: what an image is to a Pod."""
    found = sorted({f"{each.name}=={each.version}" for each in distributions()})
    return f"sha256:{hashlib.sha256(chr(10).join(found).encode()).hexdigest()}"


def groups_in_session(session: int) -> set[int]:
    """The process groups of a session other than its leader's: an agent gives the user's command one of its own.

    Empty where there is no ``/proc``, as on macOS.
    """
    groups = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            _, _, group, its_session = stat.read_text(errors="replace").rpartition(")")[2].split()[:4]
            if int(its_session) == session:
                groups.add(int(group))
    return groups - {session}


def _variables(order: Order) -> dict[str, str]:
    """The step's own `env`. Raises Refused for what only a cluster can give."""
    variables = {}
    for variable in order.env:
        if "valueFrom" in variable:
            raise Refused(f"env {variable['name']}: `valueFrom` needs a cluster; a local run can only take `value`")
        variables[str(variable["name"])] = str(variable.get("value", ""))
    return variables

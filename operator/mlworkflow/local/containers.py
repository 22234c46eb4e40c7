"""The command of a `container` step, run in its image by Docker or Podman instead of as a process of this machine.

The agent stays a process, and what it starts is ``docker run``: signals, output and the exit code go through it, the step's folders are mounted where a Pod
has them, and the container sees the variables that a Pod's would, and nothing else of this machine. As in a Pod it may do nothing that needs root.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlworkflow.core import names, tracing
from mlworkflow.core.actions import Order
from mlworkflow.core.cachefacts import Identity
from mlworkflow.core.errors import UsageError
from mlworkflow.core.pods import ROOT, step_variables

VARIABLE = "MLWF_ENGINE"
ENGINES = ("docker", "podman")
FOLDERS = ("in", "out", "run", "checkpoint")
_LABEL = "mlworkflow.io/run"


class Containers:
    """The containers of this machine's runs. `program` is ``docker`` or ``podman``."""

    def __init__(self, program: str) -> None:
        self._program = program

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> Containers | None:
        """The engine that `MLWF_ENGINE` names; None where it names none. Raises UsageError where it is none, or is not installed."""
        name = environ.get(VARIABLE, "")
        if not name:
            return None
        if name not in ENGINES:
            raise UsageError(f"--engine, or {VARIABLE}: {name!r} is none; {' or '.join(ENGINES)}")
        if shutil.which(name) is None:
            raise UsageError(f"there is no `{name}` on this machine's PATH: install it, or leave the engine out")
        return cls(name)

    def command(self, order: Order, folder: Path) -> tuple[str, ...]:
        """What starts the container of an attempt, whose folders are in `folder`, and ends as it does."""
        own, args = (tuple(map(str, order.spec.get(field, ()))) for field in ("command", "args"))
        directory = order.spec.get("workingDir")
        return (
            self._program, "run", "--rm", "--name", self._name(order.uid, order.task, order.attempt),
            "--label", f"{_LABEL}={order.uid}",
            *self._user(), "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
            *(word for name in FOLDERS for word in ("--volume", f"{folder / name}:{ROOT}/{name}:z")),
            *(word for name in _variables(order) for word in ("--env", name)),
            *(("--workdir", str(directory)) if directory else ()),
            *(("--entrypoint", own[0]) if own else ()),
            order.image, *own[1:], *args,
        )  # fmt: skip

    async def identity(self, image: str) -> Identity:
        """What an image is, once it is here: its digest in the registry it came from, or its own where it was built here."""
        code, said = await self._call("image", "inspect", image)
        if code:
            return Identity(unknown=f"the image {image} is not on this machine yet")
        (found,) = json.loads(said)
        digests = [named.rpartition("@")[2] for named in found.get("RepoDigests") or ()]
        return Identity(image=digests[0] if digests else f"sha256:{found['Id'].removeprefix('sha256:')}")

    async def remove(self, uid: str, task: str, attempt: int) -> None:
        """End the container of an attempt, should it have outlived the process that ran it."""
        await self._end(self._name(uid, task, attempt))

    async def remove_all(self, uid: str) -> None:
        """End every container of a run."""
        _, found = await self._call("ps", "--all", "--quiet", "--filter", f"label={_LABEL}={uid}")
        if found:
            await self._end(*found.decode().split())

    async def _end(self, *containers: str) -> None:
        await self._call("kill", *containers)  # else Podman asks, and waits for ten seconds
        await self._call("rm", "--force", *containers)

    async def _call(self, *words: str) -> tuple[int, bytes]:
        """The exit code of the engine, and what it said; not why it could not."""
        process = await asyncio.create_subprocess_exec(
            self._program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said

    def _name(self, uid: str, task: str, attempt: int) -> str:
        return names.pod_name("mlwf", uid, task, attempt)

    def _user(self) -> tuple[str, ...]:
        """Whose files the outputs are: this user's."""
        if self._program == "podman" and os.geteuid():
            return ("--userns", "keep-id")
        return ("--user", f"{os.geteuid()}:{os.getegid()}")


def _variables(order: Order) -> Iterable[str]:
    """What the container sees. A name alone is a variable that the agent has set. What the step sets is told in full, for it is not the engine's: its `HOME`
    or `PATH` would lead that astray.
    """
    for name, value in step_variables(order).items():
        yield f"{name}={value}" if value.startswith(f"{ROOT}/") else name
    yield tracing.VARIABLE
    for variable in order.env:
        yield f"{variable['name']}={variable.get('value', '')}"

"""What a next attempt could resume from: saved while the step runs and when it fails, restored before it starts.

A save in the background never delays or fails a step: each call is tried once, and what did not work is tried again at the
next look. Two looks in a row must agree, so that no half-written state is taken; of a change while it is being packed nothing is
noted. The next attempt gets what was noted last, whatever ended this one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping

from mlworkflow_steps.agent import archive, transfer
from mlworkflow_steps.agent.errors import GatewayRefused, GaveUp, StepFailure, Superseded
from mlworkflow_steps.agent.folders import Folders, remove
from mlworkflow_steps.agent.gateway import Gateway
from mlworkflow_steps.agent.patience import Patience

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

NAME = "checkpoint"
EVERY = 10.0
_HURRY = 0.5
_LAST_SAVE_WAITS = 10.0
_RESTORING = ".mlworkflow"


class Keeper:
    """Saves a step's checkpoint folder: `watch` while it runs, `save_last` when it has failed, `close` in any case.

    `saved` is the signature of what need not be saved, because it came from the attempt before.
    """

    def __init__(
        self, gateway: Gateway, folders: Folders, complain: Callable[[str], None], every: float = EVERY, saved: str = ""
    ) -> None:
        self._gateway = gateway
        self._folder = folders.checkpoint
        self._complain = complain
        self._every = every
        self._saved = self._before = saved
        self._saving = threading.Lock()
        self._wake = threading.Event()
        self._is_closed = False
        self._is_last = False
        self._thread: threading.Thread | None = None
        self._said = ""

    def watch(self) -> None:
        """Begins to look at the folder now and then, if it has not begun."""
        if self._thread is None and not self._is_closed:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def hurry(self) -> None:
        """Looks twice a second from now on: the end is near, and nobody will say when."""
        self._every = min(self._every, _HURRY)
        self._wake.set()

    def close(self) -> None:
        """Saves nothing more; what is under way is given up."""
        self._is_closed = True
        self._wake.set()

    def save_last(self) -> None:
        """Saves what an attempt that failed has left, unless that has been done; waits as long as must be. Done
        once, however often it is called. Raises `Superseded`.
        """
        if self._is_last:
            return
        self._is_last = True
        self.close()
        self._saving.acquire(timeout=_LAST_SAVE_WAITS)  # never given back: after this one nothing older is noted
        now = signature(self._folder)
        if not now or now == self._saved:
            return
        try:
            self._gateway.checkpoint(transfer.publish(self._gateway, NAME, self._folder, _pack))
            self._saved = now
        except (StepFailure, GatewayRefused, GaveUp) as error:
            self._say(f"the checkpoint is not saved: {error}")

    def _run(self) -> None:
        hasty = self._gateway.with_patience(Patience(0.0))
        while not self._is_closed:
            self._wake.wait(self._every)
            self._wake.clear()
            try:
                self._look(hasty)
            except Superseded:
                return
            except (StepFailure, GatewayRefused, GaveUp, OSError) as error:
                if not self._is_closed:
                    self._say(f"the checkpoint is not saved yet: {error}")

    def _look(self, hasty: Gateway) -> None:
        now = signature(self._folder)
        if not self._is_closed and now and now == self._before and now != self._saved:
            artifact = transfer.publish(hasty, NAME, self._folder, self._pack_while_open)
            with self._saving:
                if self._is_closed:
                    return
                if signature(self._folder) == now:
                    hasty.checkpoint(artifact)
                    self._saved = now
        self._before = now

    def _pack_while_open(self, folder: str) -> Iterator[bytes]:
        """Ends the packing, and so an upload, when nobody waits for it any more."""
        for chunk in _pack(folder):
            if self._is_closed:
                raise StepFailure("Terminated", "the step is over")
            yield chunk

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._complain(words)


def keeper(
    gateway: Gateway, folders: Folders, environ: Mapping[str, str], complain: Callable[[str], None], saved: str = ""
) -> Keeper:
    """A keeper that looks as often as ``MLWF_CHECKPOINT_EVERY`` says."""
    text = environ.get("MLWF_CHECKPOINT_EVERY", "")
    try:
        every = float(text or EVERY)
    except ValueError:
        every = 0.0
    if not 0 < every < threading.TIMEOUT_MAX:
        complain(f"MLWF_CHECKPOINT_EVERY is not a number of seconds: {text!r}")
        every = EVERY
    return Keeper(gateway, folders, complain, every, saved)


def _pack(folder: str) -> Iterator[bytes]:
    return archive.pack(folder, is_kept)


def is_kept(name: str) -> bool:
    """Whether an entry of this name is part of a checkpoint."""
    return not name.startswith(".") and not name.endswith(".tmp")


def signature(folder: str) -> str:
    """A text that is another when the folder has changed: of names, sizes and times; empty for an empty folder."""
    found, pending = [], [""]
    while pending:
        inner = pending.pop()
        with contextlib.suppress(OSError), os.scandir(os.path.join(folder, inner)) as entries:
            for entry in entries:
                if not is_kept(entry.name):
                    continue
                path, status = os.path.join(inner, entry.name), entry.stat(follow_symlinks=False)
                is_directory = entry.is_dir(follow_symlinks=False)
                size, changed = (0, 0) if is_directory else (status.st_size, status.st_mtime_ns)
                found.append(f"{path}\0{status.st_mode}\0{size}\0{changed}")
                if is_directory:
                    pending.append(path)
    text = "\n".join(sorted(found))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest() if found else ""


def restore(
    gateway: Gateway,
    artifact: dict[str, Any],
    folders: Folders,
    complain: Callable[[str], None],
    *,
    shared: bool = False,
) -> str:
    """Makes the checkpoint folder what an attempt before left in it, and returns its signature; `shared` lets every user write
    to all of it.

    A checkpoint that cannot be had is complained about, and the step starts anew, as it would have without one. Raises `GaveUp`
    and what the gateway raises.
    """
    try:
        _restore(gateway, artifact, folders, shared)
    except StepFailure as failure:
        if failure.reason == "Terminated":
            raise
        complain(f"starting without the checkpoint: {failure}")
    return signature(folders.checkpoint)


def _restore(gateway: Gateway, artifact: dict[str, Any], folders: Folders, shared: bool) -> None:
    for name in os.listdir(folders.checkpoint):  # a mount may be here: the folder itself stays
        remove(os.path.join(folders.checkpoint, name))
    aside = os.path.join(folders.checkpoint, _RESTORING)
    source = transfer.Source(NAME, gateway.checkpoint_url, gateway.patience)
    try:
        transfer.fetch(source, artifact, aside)
        if shared:
            _open_to_all(aside)
        for name in os.listdir(aside):
            os.rename(os.path.join(aside, name), os.path.join(folders.checkpoint, name))
    finally:
        remove(aside)


def _open_to_all(folder: str) -> None:
    for where, _, names in os.walk(folder):
        os.chmod(where, 0o777)
        for name in names:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode & 0o777 | 0o666)

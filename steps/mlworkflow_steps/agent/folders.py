"""Where a step's files are: the folders below ``MLWF_ROOT``, and files that the user's process wrote, read with care.

A file from the user's process may be a symlink to something that only the agent can read (its token, in a `publish`
container), or a pipe that blocks: `read_untrusted` follows no link and opens regular files alone.
"""

from __future__ import annotations

import os
import stat


class Folders:
    """The paths of one step; `create` makes what must be there before its process starts."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.inputs = os.path.join(root, "in")
        self.outputs = os.path.join(root, "out")
        self.output_params = os.path.join(self.outputs, "params")
        self.checkpoint = os.path.join(root, "checkpoint")
        self.run = os.path.join(root, "run")
        self.params = os.path.join(self.run, "params.json")
        self.input_facts = os.path.join(self.run, "inputs.json")
        self.task = os.path.join(self.run, "task.json")
        self.metrics = os.path.join(self.run, "metrics.jsonl")
        self.failure = os.path.join(self.run, "failure.json")
        self.log = os.path.join(self.run, "log")

    def create(self, *, shared: bool = False) -> None:
        """Makes the folders, without what an earlier run in the same place left, but for the checkpoint.

        `shared` lets every user write to them, because the user of the user's container may be another.
        """
        for folder in (self.inputs, self.outputs, self.run):
            _empty(folder)
        for folder in (self.inputs, self.outputs, self.output_params, self.checkpoint, self.run):
            os.makedirs(folder, exist_ok=True)
            if shared and folder != self.inputs:
                os.chmod(folder, 0o777)

    def environment(self) -> dict[str, str]:
        """The variables that name these paths to the user's process."""
        return {
            "MLWF_ROOT": self.root,
            "MLWF_IN": self.inputs,
            "MLWF_INPUTS": self.input_facts,
            "MLWF_OUT": self.outputs,
            "MLWF_PARAMS": self.params,
            "MLWF_METRICS": self.metrics,
            "MLWF_CHECKPOINT": self.checkpoint,
            "MLWF_TASK": self.task,
        }


def _empty(folder: str) -> None:
    """Removes what is in a folder, which may be a mount and stays itself."""
    if not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        remove(os.path.join(folder, name))


def remove(path: str) -> None:
    """Removes a file, a link or a whole directory; none there is no error."""
    if os.path.isdir(path) and not os.path.islink(path):
        import shutil

        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def read_untrusted(path: str, limit: int) -> bytes | None:
    """Up to `limit` + 1 bytes of a regular file; None when there is none. Raises `OSError` for a link, a pipe, a
    missing permission.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a file")
        data = bytearray()
        while len(data) <= limit and (chunk := file.read(limit + 1 - len(data))):
            data += chunk
        return bytes(data)


def is_within(path: str, folder: str) -> bool:
    """Whether a path, links followed, is below a folder."""
    inside = os.path.realpath(folder)
    return os.path.realpath(path).startswith(inside + os.sep)

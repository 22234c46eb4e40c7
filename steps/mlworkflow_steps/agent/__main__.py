"""``python -m mlworkflow_steps.agent run | fetch | publish | code | pack FOLDER``. `code` prints the digest of the code that built-in kinds run, `pack`
writes a directory to standard output as it is stored; neither needs settings.

Settings come from the environment: ``MLWF_GATEWAY``, ``MLWF_TOKEN_FILE``, ``MLWF_ROOT`` (default ``/mlworkflow``),
``MLWF_PATIENCE`` (seconds, default six hours), ``MLWF_CHECKPOINT_EVERY`` (seconds, default ten), ``MLWF_PART_SIZE`` (bytes, default 16 MiB),
``MLWF_CA`` (certificates in PEM that are trusted beside the system's). `run` does one attempt, or where ``MLWF_RIDERS`` names several one after the
other, with ``MLWF_LAST_WORD`` (default ``/dev/termination-log``) for the container's last word. Exit codes: the
command's own for `run`; 0 when the attempt has been superseded; 64 for a wrong call; 75 when nobody answered for as
long as patience lasts; 77 when the gateway said no before anything could be committed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from mlworkflow_steps.agent.errors import GatewayRefused, GaveUp, Superseded
from mlworkflow_steps.agent.folders import Folders
from mlworkflow_steps.agent.gateway import Gateway
from mlworkflow_steps.agent.patience import DEFAULT_SECONDS, Patience

COMMANDS = ("run", "fetch", "publish", "code")


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs one subcommand; returns the exit code."""
    if len(arguments) == 2 and arguments[0] == "pack":
        return _pack(arguments[1])
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        return _complain(64, f"usage: python -m mlworkflow_steps.agent {' | '.join(COMMANDS)}")
    if arguments[0] == "code":
        from mlworkflow_steps.agent import code

        print(code.digest())
        return 0
    try:
        patience = Patience(float(environ.get("MLWF_PATIENCE", DEFAULT_SECONDS)))
        gateway = Gateway(environ["MLWF_GATEWAY"], environ["MLWF_TOKEN_FILE"], patience)
        patience.tell = gateway.waiting
    except KeyError as missing:
        return _complain(64, f"{missing.args[0]} is not set")
    except ValueError:
        return _complain(64, "MLWF_PATIENCE is not a number of seconds")
    folders = Folders(os.path.abspath(environ.get("MLWF_ROOT", "/mlworkflow")))
    if arguments[0] == "run" and environ.get("MLWF_RIDERS"):
        from mlworkflow_steps.agent import carrier

        return carrier.carry(
            environ,
            folders,
            lambda rider, environ: _ended("run", gateway.of_rider(rider), folders, environ),
        )
    return _ended(arguments[0], gateway, folders, environ)


def _ended(name: str, gateway: Gateway, folders: Folders, environ: Mapping[str, str]) -> int:
    """Runs a command for one attempt; returns the exit code."""
    try:
        return _command(name, gateway, folders, environ)
    except Superseded:
        return 0
    except GaveUp as error:
        return _complain(75, str(error))
    except GatewayRefused as error:
        return _complain(77, str(error))


def _command(name: str, gateway: Gateway, folders: Folders, environ: Mapping[str, str]) -> int:
    if name == "run":
        from mlworkflow_steps.agent.run import run

        return run(gateway, folders, environ)
    from mlworkflow_steps.agent import pod

    return pod.fetch(gateway, folders) if name == "fetch" else pod.publish(gateway, folders, environ)


def _pack(folder: str) -> int:
    from mlworkflow_steps.agent import archive

    try:
        for piece in archive.pack(folder):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    except (OSError, ValueError) as error:
        return _complain(1, str(error))
    return 0


def _complain(code: int, words: str) -> int:
    print(f"mlworkflow: {words}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

"""The command line: `mlwf`, which is also the kubectl plugin `kubectl mlwf`.

Nothing heavy is imported before a command needs it: help answers at once.
"""

from __future__ import annotations


def main() -> None:
    """The entry point of both programs; ends the process."""
    from mlworkflow.cli.app import run

    run()

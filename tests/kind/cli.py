"""The command line of the kind tier. Every command that a user could type is shown before it runs."""

import argparse

from node.errors import NodeError
from node.shell import say

from . import cluster
from .docker import docker


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 tests/kind", description=__doc__)
    parser.add_argument("command", choices=["prepare", "up", "down"])
    command = parser.parse_args().command
    try:
        tools = docker()
        if command == "down":
            tools.check()
            cluster.down(tools)
        else:
            tools.prepare()
        if command == "up":
            cluster.up(tools)
    except NodeError as error:
        say(f"error: {error}")
        return error.exit_code
    return 0

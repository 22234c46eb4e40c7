"""The command line. stdout is for a shell to evaluate (`eval "$(python3 tests/node up)"`), stderr is for people."""

import argparse

from . import cluster, families, prerequisites
from .constants import CACHE, KUBECONFIG
from .errors import NodeError
from .shell import say


def main() -> int:
    options = _parser().parse_args()
    try:
        _COMMANDS[options.command](options)
    except NodeError as error:
        say(f"error: {error}")
        return error.exit_code
    return 0


def _build(options: argparse.Namespace) -> None:
    families.build(options.families)
    if not options.families:
        for name in ("kubectl", "weed"):
            families.program(name)


def _up(options: argparse.Namespace) -> None:
    cluster.up(fresh=options.fresh)
    families.program("kubectl")
    print(f"export KUBECONFIG={KUBECONFIG}")


def _down(_: argparse.Namespace) -> None:
    cluster.down()


def _images(options: argparse.Namespace) -> None:
    from . import images

    prerequisites.need_root()
    images.ensure(options.only or images.names())


def _status(_: argparse.Namespace) -> None:
    states = cluster.status()
    for name, state in states.items():
        print(f"{name:12} {state}")
    if "running" not in states.values():  # of a running node all of this would be true, and no news
        for left in cluster.leftovers():
            print(f"left over    {left}")


def _env(_: argparse.Namespace) -> None:
    print(f"export PATH={CACHE / 'bin'}:$PATH")
    print(f"export KUBECONFIG={KUBECONFIG}")


def _browser(_: argparse.Namespace) -> None:
    prerequisites.need_browser()


def _prometheus(_: argparse.Namespace) -> None:
    prerequisites.need_prometheus()


_COMMANDS = {
    "browser": _browser,
    "prometheus": _prometheus,
    "build": _build,
    "up": _up,
    "down": _down,
    "images": _images,
    "status": _status,
    "env": _env,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 tests/node", description="One real Kubernetes node, without Docker.")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build what is not built yet (up does so for what it needs)")
    build.add_argument(
        "families",
        nargs="*",
        choices=[*families.FAMILIES, []],
        metavar="FAMILY",
        help=f"any of {', '.join(families.FAMILIES)}; all of them when none is named",
    )
    up = commands.add_parser("up", help="start the node, or repair it; the last line on stdout sets KUBECONFIG")
    up.add_argument("--fresh", action="store_true", help="discard the cluster's objects; images stay")
    commands.add_parser("down", help="stop the node and leave nothing but the cache")
    images = commands.add_parser("images", help="build images where something changed, and load them into the node")
    images.add_argument("only", nargs="*", metavar="IMAGE", help="image names; all of them when none is named")
    commands.add_parser("browser", help="see to it that there is a browser, for the tests that look at reports")
    commands.add_parser("prometheus", help="see to it that there is a Prometheus, for the tests of metrics and alerts")
    commands.add_parser("status", help="each component's state")
    commands.add_parser("env", help="export lines for PATH (kubectl, helm, weed, …) and KUBECONFIG")
    return parser

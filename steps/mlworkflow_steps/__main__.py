"""`python -m mlworkflow_steps <kind>`: runs one built-in kind by the step contract, importing nothing that this kind does not need."""

from __future__ import annotations

import importlib
import keyword
import os
import sys
from pathlib import Path
from types import ModuleType

from mlworkflow_steps import starting
from mlworkflow_steps.context import Context
from mlworkflow_steps.errors import StepFailure

KINDS = sorted(file.stem.rstrip("_") for file in (Path(__file__).parent / "kinds").glob("[!_]*.py"))
"""Each is a module there; one whose name is a word of Python's own has a `_` after it."""

# The number of threads changes the order in which numbers are added up, and with it a model's last bits: with as many threads
# as the machine has cores, a laptop and a cluster would not agree on a digest. A step's `env` can say otherwise; it is read
# when the libraries are loaded, so it has to be set before. Waiting threads must not spin: Pods share their cores.
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


# Arrow's own memory pool keeps what it has had once: 100 MiB more for a table that is read in parts. Read when Arrow is loaded, too.
MEMORY = {"ARROW_DEFAULT_MEMORY_POOL": "system"}


def main(arguments: list[str]) -> int:
    """The exit code: 0, or 1 with the reason in `run/failure.json` and on stderr, or 2 for a wrong call."""
    if len(arguments) != 1 or arguments[0] not in KINDS:
        print(f"usage: python -m mlworkflow_steps {'|'.join(KINDS)}", file=sys.stderr)
        return 2
    prepare()
    context = None
    try:
        context = Context.from_environment(os.environ)
        module = module_of(arguments[0])
        if "MLWF_DEBUG" in os.environ:
            starting.tell(arguments[0])
        module.run(context)
    except StepFailure as failure:
        print(f"{failure.reason}: {failure.message}", file=sys.stderr)
        if context is not None:
            context.record_failure(failure)
        return 1
    return 0


def prepare() -> None:
    """What libraries read when they are loaded."""
    for name, value in (THREADS | MEMORY).items():
        os.environ.setdefault(name, value)


def module_of(kind: str) -> ModuleType:
    """What carries a kind out; its work begins once this is loaded."""
    return importlib.import_module(f"mlworkflow_steps.kinds.{kind}{'_' * keyword.iskeyword(kind)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""MLWorkflow: machine-learning workflows on Kubernetes, and the same YAML on a laptop.

The folders are the layers, each importing only those below it:
``handlers | cli | api  >  runs  >  kube | local  >  engine  >  gateway  >  store  >  core``.

What `mlworkflow.api` has is here too (``import mlworkflow as mlwf``), and imported when it is first asked for: the operator and the command line need none of it.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not imported from typing: that would cost every command several milliseconds
if TYPE_CHECKING:
    from mlworkflow.api import *  # noqa: F403
    from mlworkflow.api.kinds import *  # noqa: F403
else:

    def __getattr__(name):
        from importlib import import_module
        from importlib.util import find_spec

        if name.startswith("_") or find_spec(f"{__name__}.{name}"):  # a module of ours is about to be imported
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f"{__name__}.api"), name)
        except ModuleNotFoundError as error:
            words = f"the Python interface needs {error.name}, which is not installed: pip install 'mlworkflow[cli]'"
            raise ImportError(words, name=error.name) from error

    def __dir__():
        from importlib import import_module

        return [*globals(), *import_module(f"{__name__}.api").__all__]

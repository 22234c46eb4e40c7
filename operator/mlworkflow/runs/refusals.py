"""What the API server, or the gateway behind it, has refused, as an error that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlworkflow.kube.errors import ApiError, Forbidden, NotFound, Unauthorized, Unavailable
from mlworkflow.runs.errors import NotAllowed, Refused, RunsError, Unknown
from mlworkflow.runs.reader import is_out_of_reach


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Errors of the API as those of runs."""
    try:
        yield
    except ApiError as error:
        raise refusal(error, server) from None


@contextmanager
def writing(server: str) -> Iterator[None]:
    """As `translated`, where something is added by way of the gateway."""
    with translated(server):
        try:
            yield
        except Forbidden as error:
            raise NotAllowed(
                f"not allowed: {error.message}",
                "needed: the role …-dataset-writer in the operator's namespace (docs/cli.md)",
            ) from None


def refusal(error: ApiError, server: str) -> RunsError:
    """The server's own words, and what to do."""
    match error:
        case Unauthorized():
            return Unknown(f"{server} does not know you: {error.message}", "log in again, as for kubectl")
        case Forbidden() if "denied the request" in error.message or "denied request" in error.message:
            return Refused(
                error.message,
                "a policy of the cluster refuses it: what it asks for is above; who you are is told by: kubectl auth whoami",
            )
        case Forbidden():
            return NotAllowed(
                f"not allowed: {error.message}", "ask for the role mlworkflow-view or mlworkflow-edit (docs/install.md)"
            )
        case NotFound() if not error.details.get("name"):
            return Refused("this cluster has no MLWorkflows", "install the operator: docs/install.md")
        case Unavailable() if error.status == 0:
            return Refused(f"no answer from {server}: {error.message}", "is the cluster up? kubectl cluster-info")
        case _ if is_out_of_reach(error):
            return Refused(f"the cluster cannot do it now: {error.message}", "try again in a moment")
    return Refused(error.message or str(error), "is all there that is needed? mlwf doctor")

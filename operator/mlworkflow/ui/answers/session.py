"""Who looks, and what they may do."""

from __future__ import annotations

from typing import Annotated, Literal

from mlworkflow.ui.answers.base import Answer, Verb


class Rights(Answer, frozen=True):
    """What the user may do in a namespace."""

    namespace: str
    may: Annotated[list[Verb], "Buttons for anything else need not be shown."]
    why: Annotated[str, "Why not all of it, one sentence; empty where nothing is missing."] = ""


class Session(Answer, frozen=True):
    """Who looks at what."""

    mode: Annotated[Literal["local", "cluster", "team"], "local: a folder of this machine; cluster: with the user's kubeconfig; team: signed in to a server in the cluster."]  # fmt: skip
    user: Annotated[str, "The name that decisions are signed with."]
    place: Annotated[str, "What is looked at: the folder, or the cluster's address."]
    namespace: Annotated[str, "Where a new workflow goes unless it says so itself."]
    namespaces: Annotated[list[str], "Those that the user can choose from, as far as is known."]
    rights: Annotated[Rights, "In `namespace`; for others ask /rights."]
    csrf: Annotated[str, "What POSTs carry in the header X-Mlwf-Csrf."]
    version: Annotated[str, "Of the server."]
    content_origin: Annotated[str, "Where previews of HTML come from: the one origin that frames may have. Empty: this one, sandboxed."]  # fmt: skip


class SignIn(Answer, frozen=True):
    """How to sign in."""

    is_needed: Annotated[bool, "False where there is a session already, or none is needed."]
    ways: list[Literal["token", "oidc", "link"]]
    provider: Annotated[str, "What the way `oidc` is called on its button."] = ""
    hint: Annotated[str, "How to get a token, or the link: a sentence or a command."] = ""

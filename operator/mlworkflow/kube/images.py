"""What an image's name means: the digest in it, else what its registry says, else the one that the cluster has last reported for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlworkflow.kube.image_names import ImageName
from mlworkflow.kube.pull_secrets import PullSecrets
from mlworkflow.kube.registry import Registries


@dataclass(frozen=True, slots=True)
class Meaning:
    """A digest, or why it is not known."""

    digest: str = ""
    why: str = ""


class Images:
    """What the cluster has reported counts only where it would run that again: not where it pulls `Always`, for a tag may have been moved.

    `registries` None: no registry is asked. `secrets` None: registries are asked without credentials.
    """

    def __init__(
        self, pull_policy: str, registries: Registries | None = None, secrets: PullSecrets | None = None
    ) -> None:
        self._pulls_always = pull_policy == "Always"
        self._reported: dict[str, str] = {}
        self._registries = registries
        self._secrets = secrets

    def report(self, image: str, digest: str) -> None:
        """A Pod has run an image by this name, and this is what it was."""
        if image and digest:
            self._reported[image] = digest

    async def meaning(self, image: str, namespace: str = "", pull_secrets: Sequence[str] = ()) -> Meaning:
        """The digest of what would run now. `pull_secrets` are names of Secrets of the namespace."""
        name = ImageName.parse(image)
        if name and name.digest:
            return Meaning(name.digest)
        reported, why = self._reported.get(image, ""), ""
        if name and self._registries:
            credentials = None
            if pull_secrets and self._secrets:
                credentials = await self._secrets.credentials(namespace, pull_secrets, name)
            answer = await self._registries.resolve(name, credentials, reported)
            if answer.digest:
                return Meaning(answer.digest)
            why = f"; {answer.why}"
        if reported and not self._pulls_always:
            return Meaning(reported)
        reason = "it is pulled anew each time" if self._pulls_always else "no Pod has run it yet"
        return Meaning(why=f"{reason}, and its name has no digest in it{why}")

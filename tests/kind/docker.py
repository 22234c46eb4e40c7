"""Where Docker, kind and their images come from: two answers, one interface.

Docker            the user's own Docker, kind, helm and kubectl, and published images; nothing to prepare
└── OfflineDocker no container registry is reachable: a Docker and a node image made by the tool that MLWF_KIND_TOOL
                  names (`TOOL WORKDIR`), and the stand-ins for the base images from `tests/node`
"""

import os
import shutil
import subprocess
from pathlib import Path

from node import families, images, mounts, prerequisites
from node.bases import BASES
from node.constants import BUSYBOX_IMAGE, CACHE, MINIO_IMAGE
from node.errors import Missing, NodeError
from node.shell import run, say, wait_until

_WORK = CACHE.parent / "kind"
_HOW = {
    "docker": "https://docs.docker.com/get-docker",
    "kind": "https://kind.sigs.k8s.io",
    "helm": "https://helm.sh",
    "kubectl": "https://kubernetes.io/docs/tasks/tools",
}


class Docker:
    """The user's own tools. `environment` is what every command runs with."""

    build_arguments: tuple[str, ...] = ()
    node_image: str = ""  # empty: kind's default
    extra_images: tuple[str, ...] = ()  # what the cluster's nodes cannot pull

    def __init__(self) -> None:
        self.environment = dict(os.environ)

    def prepare(self) -> None:
        """Have everything that creating a cluster takes."""
        self.check()

    def check(self) -> None:
        """Name what is missing before anything is begun."""
        for name, where in _HOW.items():
            if shutil.which(name, path=self.environment["PATH"]) is None:
                raise Missing(f"no `{name}` on PATH: {where}")
        if not self._answers():
            raise Missing("Docker does not answer (`docker info`): start it, or join its group")

    def show(self, *command: str, check: bool = True) -> int:
        """Run a command for the user to see."""
        say("+ " + " ".join(command))
        code = subprocess.run(command, env=self.environment).returncode
        if code and check:
            raise NodeError(f"`{' '.join(command[:3])} …` ended with {code}")
        return code

    def ask(self, *command: str) -> str:
        return run(*command, env=self.environment)

    def _answers(self) -> bool:
        return subprocess.run(["docker", "info"], env=self.environment, capture_output=True).returncode == 0


class OfflineDocker(Docker):
    build_arguments = ("--network", "host")  # the build's pip reaches what the host reaches

    def __init__(self, tool: Path) -> None:
        super().__init__()
        self._tool = tool
        self.environment["DOCKER_HOST"] = f"unix://{_WORK}/docker/docker.sock"
        self.environment["DOCKER_BUILDKIT"] = "0"  # Debian's Docker has no buildx; our Dockerfiles need none
        self.environment["KUBECONFIG"] = str(_WORK / "kubeconfig")
        self.environment["PATH"] = f"{_WORK}/bin:{families.search_path()}"
        self.extra_images = (MINIO_IMAGE, BUSYBOX_IMAGE)

    def prepare(self) -> None:
        prerequisites.need_root()
        prerequisites.need_packages({"dockerd": "docker.io", "jq": "jq", "debootstrap": "debootstrap"})
        if (_WORK / "runc").exists() and not self._answers():
            self._start()
        if not (self._answers() and self._node_image()):
            say("making Docker and the node image (once; about 12 minutes on two cores)")
            _WORK.mkdir(parents=True, exist_ok=True)
            with open(_WORK / "tool.log", "ab") as log:
                command = ["bash", str(self._tool), str(_WORK)]
                if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log).returncode:
                    raise NodeError(f"{self._tool} failed: see {_WORK}/tool.log")
        self.node_image = self._node_image()
        for program in ("helm", "kubectl"):
            families.program(program)
        for name in BASES:
            self._load(name)
        self.check()

    def _start(self) -> None:
        """Start the Docker that an earlier run of the tool left stopped; the tool itself would pack everything anew."""
        place = _WORK / "docker"
        mounts.unmount_below(place / "exec")
        (place / "pid").unlink(missing_ok=True)
        places = f"--data-root {place}/data --exec-root {place}/exec --pidfile {place}/pid -H {self.environment['DOCKER_HOST']}"
        runtime = f"--exec-opt native.cgroupdriver=cgroupfs --add-runtime nores={_WORK}/runc --default-runtime nores"
        command = ["setsid", "--fork", "dockerd", *places.split(), *runtime.split()]
        with open(place / "log", "ab") as log:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
        wait_until("Docker does not answer", self._answers, seconds=60, hint=f": see {place}/log")

    def _node_image(self) -> str:
        found = self.ask("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "kindest/node").split()
        return found[0] if found else ""

    def _load(self, name: str) -> None:
        archive = images.archive(name)
        marker = f"mlworkflow.local/{name}:{archive.stem.rpartition('-')[2]}"
        if self.ask("docker", "images", "--quiet", marker).strip():
            return
        say(f"loading {archive.name} into Docker")
        self.ask("docker", "load", "--quiet", "--input", str(archive))
        tag = images.tag(name)
        if name == "python":
            # Builds trust what the host trusts. buildah mounts the certificates; Docker's builds can only be given them.
            dockerfile = f"FROM {tag}\nCOPY ca-certificates.crt /etc/ssl/certs/\n".encode()
            build = f"docker build --quiet --tag {tag} --file - /etc/ssl/certs"
            run(*build.split(), env=self.environment, stdin=dockerfile)
        self.ask("docker", "tag", tag, marker)


def docker() -> Docker:
    """The Docker to use, not yet prepared."""
    tool = os.environ.get("MLWF_KIND_TOOL", "")
    return OfflineDocker(Path(tool).resolve()) if tool and Path(tool).exists() else Docker()

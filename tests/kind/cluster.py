"""The kind cluster as a user makes it: create, build, load, install, run the example, look at it."""

from node.constants import REPOSITORY
from node.errors import NodeError
from node.images import OWN
from node.shell import say

from .docker import Docker

_NAME = "mlworkflow"
_CONTEXT = f"kind-{_NAME}"
_NAMESPACE = "mlworkflow-system"
_EXAMPLE = "digits"


def up(tools: Docker) -> None:
    """Every step may be repeated: what is there already is kept, what changed is built and rolled out."""
    is_new = _NAME not in tools.ask("kind", "get", "clusters").split()
    if is_new:
        config = str(REPOSITORY / "kind-config.yaml")
        image = ("--image", tools.node_image) if tools.node_image else ()
        tools.show("kind", "create", "cluster", "--name", _NAME, "--config", config, *image, "--wait", "180s")
    for one in OWN.values():
        target = ("--target", one.target) if one.target else ()
        what = ("--quiet", "--tag", one.tag, "--file", str(REPOSITORY / one.dockerfile), *target)
        tools.show("docker", "build", *what, *tools.build_arguments, str(REPOSITORY))
    ours = [one.tag for one in OWN.values()]  # in one go: they share most of their layers
    tools.show("kind", "load", "docker-image", "--name", _NAME, *tools.extra_images, *ours)
    chart = ("mlworkflow", str(REPOSITORY / "charts/mlworkflow"))
    place = ("--kube-context", _CONTEXT, "--namespace", _NAMESPACE, "--create-namespace")
    tools.show("helm", "upgrade", "--install", *chart, *place, "--set", "ui.enabled=true", "--wait", "--timeout", "5m")
    if not is_new:  # the tag is the same, so nothing else would make the Pod take the new image
        restart = f"kubectl --context {_CONTEXT} --namespace {_NAMESPACE} rollout"
        for name in ("deployment/mlworkflow", "deployment/mlworkflow-ui"):
            tools.show(*restart.split(), "restart", name)
            tools.show(*restart.split(), "status", name, "--timeout", "5m")
    _run_example(tools)


def down(tools: Docker) -> None:
    tools.show("kind", "delete", "cluster", "--name", _NAME)


def _run_example(tools: Docker) -> None:
    kubectl = ("kubectl", "--context", _CONTEXT)
    tools.show(*kubectl, "apply", "--filename", str(REPOSITORY / f"examples/{_EXAMPLE}.yaml"))
    waited = tools.show(*kubectl, "wait", "--for=condition=Succeeded", f"mlwf/{_EXAMPLE}", "--timeout=10m", check=False)
    tools.show(*kubectl, "get", "mlwf,pods", "--output", "wide", check=False)
    if waited:
        tools.show(*kubectl, "describe", f"mlwf/{_EXAMPLE}", check=False)
        logs = f"logs --namespace {_NAMESPACE} --selector app.kubernetes.io/name=mlworkflow --tail 50"
        tools.show(*kubectl, *logs.split(), check=False)
        raise NodeError("the example did not succeed")
    say(f"""
It works. What next:
  kubectl --context {_CONTEXT} get mlwf {_EXAMPLE} -o yaml     # every step, its outputs and digests
  mlwf --context {_CONTEXT} artifacts {_EXAMPLE}               # and `mlwf download {_EXAMPLE} evaluate.report`
  kubectl --context {_CONTEXT} -n {_NAMESPACE} port-forward svc/mlworkflow-ui 8700:80   # the page for a team
  make kind-down                                     # delete the cluster""")

"""The node's certificates and kubeconfigs: made once per state folder with openssl, good for ten years.

Elliptic keys, because making nine RSA keys would take a third of the whole start. Only the key that signs service
account tokens is RSA, as in the clusters that users have (their tokens say RS256).
"""

import base64
import concurrent.futures
import json
import shutil
from pathlib import Path

from .constants import API_PORT, KUBECONFIG, KUBERNETES_SERVICE_IP, NODE_IP, NODE_NAME, ROOT
from .shell import run

PKI = ROOT / "pki"
_NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
_SERVER_NAMES = (
    "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,"
    f"DNS:localhost,IP:127.0.0.1,IP:{NODE_IP},IP:{KUBERNETES_SERVICE_IP}"
)
_SERVING = {"apiserver": _SERVER_NAMES, "kubelet": f"DNS:{NODE_NAME},IP:{NODE_IP},IP:127.0.0.1"}
_USERS = {
    "admin": "/O=system:masters/CN=admin",
    "controllers": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE_NAME}",
    "proxy": "/CN=system:kube-proxy",
}
_SUBJECTS = {"apiserver": "/CN=kube-apiserver", "front-proxy": "/CN=front-proxy-client", **_USERS}


def kubeconfig(user: str) -> Path:
    return ROOT / f"{user}.kubeconfig"


def make() -> None:
    """Make what is not there; the folder appears whole or not at all."""
    if not PKI.exists():
        fresh = ROOT / ".pki"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        _make_authority(fresh)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: _make_certificate(fresh, name), _SUBJECTS))
        fresh.rename(PKI)
    for user in _USERS:
        _write_kubeconfig(user)


def _make_authority(folder: Path) -> None:
    usage = "-addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature"
    subject = "/CN=mlworkflow-node-ca"
    _openssl(folder, f"req -x509 {_NEW_KEY} -keyout ca.key -out ca.crt -days 3650 -subj {subject} {usage}")
    _openssl(folder, "genrsa -out sa.key 2048")
    _openssl(folder, "rsa -in sa.key -pubout -out sa.pub")


def _make_certificate(folder: Path, name: str) -> None:
    names = _SERVING.get(name, "")
    extensions = "extendedKeyUsage=clientAuth,serverAuth\n" + (f"subjectAltName={names}\n" if names else "")
    (folder / f"{name}.ext").write_text(extensions)
    _openssl(folder, f"req {_NEW_KEY} -keyout {name}.key -out {name}.csr -subj {_SUBJECTS[name]}")
    # A serial of its own: a shared serial file would make the parallel runs race.
    signed = f"-CA ca.crt -CAkey ca.key -set_serial {2 + list(_SUBJECTS).index(name)} -days 3650"
    _openssl(folder, f"x509 -req -in {name}.csr {signed} -out {name}.crt -extfile {name}.ext")


def _openssl(folder: Path, arguments: str) -> None:
    run("openssl", *arguments.split(), cwd=folder)


def _write_kubeconfig(user: str) -> None:
    ca, certificate, key = (
        base64.b64encode((PKI / file).read_bytes()).decode() for file in ("ca.crt", f"{user}.crt", f"{user}.key")
    )
    name = "mlworkflow-node"
    path = KUBECONFIG if user == "admin" else kubeconfig(user)
    path.touch(mode=0o600)
    cluster = {"server": f"https://{NODE_IP}:{API_PORT}", "certificate-authority-data": ca}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": {"client-certificate-data": certificate, "client-key-data": key}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
    }
    path.write_text(json.dumps(config, indent=1))

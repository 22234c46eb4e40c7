"""The tokens of a cluster that is not there: its keys, as an API server publishes them, and what it signs with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

NOW = 1_764_000_000.0
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ISSUER = "https://kubernetes.default.svc"
BOUND = {
    "namespace": "ml",
    "pod": {"name": "digits-train-0", "uid": "pod-uid"},
    "serviceaccount": {"name": "default", "uid": "sa-uid"},
}


class Cluster:
    """The published keys of a cluster, and how often they were asked for."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"k1": RSA}
        self.fetched = 0
        self.now = NOW
        self.broken = False

    async def fetch(self) -> Mapping[str, Any]:
        self.fetched += 1
        if self.broken:
            raise OSError("no route")
        algorithms: dict[type, Any] = {
            rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
            ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
        }
        found = []
        for kid, key in self.keys.items():
            algorithm = next(value for kind, value in algorithms.items() if isinstance(key, kind))
            found.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"})
        return {"keys": found}


def token(key: Any = RSA, kid: str = "k1", algorithm: str = "RS256", of: Any = BOUND, **changes: Any) -> str:
    """A step's token at `NOW`; a claim that is changed to None is left out."""
    claims: dict[str, Any] = {
        "aud": ["mlworkflow"], "exp": NOW + 600, "nbf": NOW, "iss": ISSUER, "sub": "system:…", "kubernetes.io": of,
    }  # fmt: skip
    claims.update(changes)
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


def of_pod(name: str, uid: str, namespace: str = "ml") -> dict[str, Any]:
    """The claim of a token that is bound to this Pod."""
    return {"namespace": namespace, "pod": {"name": name, "uid": uid}, "serviceaccount": {"name": "default"}}

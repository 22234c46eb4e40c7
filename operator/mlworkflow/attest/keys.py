"""The key that statements are signed with, and DSSE envelopes around what is signed.

A key is ECDSA P-256 in PEM; its id is the SHA-256 of its public half in PEM, so an envelope says by itself which key it needs. No step can
read the key: it is a file that only the operator, or the user of a local run, may open. Public keys that were retired may stand in
``retired.pem`` beside it, so that what they signed can still be verified.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error, FormatError
from securesystemslib.signer import CryptoSigner, SSlibKey

from mlworkflow.core.errors import UsageError

IN_TOTO = "application/vnd.in-toto+json"
RETIRED = "retired.pem"
_BEGIN = "-----BEGIN PUBLIC KEY-----"


class BadSignature(Exception):
    """What was read is not what a known key signed; the message says why."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half of a key that anyone may have."""

    pem: str
    key: ec.EllipticCurvePublicKey = field(repr=False)

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> PublicKey:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return cls(key.public_bytes(serialization.Encoding.PEM, form).decode(), key)

    @property
    def id(self) -> str:
        return hashlib.sha256(self.pem.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key to sign with."""

    public: PublicKey
    private: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> SigningKey:
        """Raises UsageError where the file is no such key, OSError."""
        try:
            found = serialization.load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UsageError(f"{path.name} is no private key in PEM without a password") from None
        if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
            raise UsageError(f"{path.name} must be an ECDSA key on the curve P-256 (prime256v1)")
        return cls(PublicKey.of(found.public_key()), found)

    @classmethod
    def made(cls, path: Path) -> SigningKey:
        """The key in a file, which is made when it is first asked for; nobody else may read it."""
        if not path.exists():
            pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent) as scratch:  # of mode 0600
                scratch.write(pem)
                scratch.flush()
                with contextlib.suppress(FileExistsError):
                    os.link(scratch.name, path)
        return cls.read(path)

    def sign(self, payload: bytes, type_: str = IN_TOTO) -> bytes:
        """A DSSE envelope around a payload, as JSON."""
        envelope = Envelope(payload, type_, {})
        envelope.sign(CryptoSigner(self.private, SSlibKey.from_crypto(self.public.key, self.public.id)))
        return json.dumps(envelope.to_dict(), sort_keys=True, separators=(",", ":")).encode()


def public_keys(pem: str) -> list[PublicKey]:
    """Every public key of a PEM file. Raises UsageError where there is none, or one of another kind."""
    found = []
    for block in pem.split(_BEGIN)[1:]:
        try:
            key = serialization.load_pem_public_key((_BEGIN + block).encode())
        except (ValueError, UnsupportedAlgorithm):
            raise UsageError("the file of public keys holds something that is none") from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise UsageError("a public key must be an ECDSA key on the curve P-256 (prime256v1)")
        found.append(PublicKey.of(key))
    if not found:
        raise UsageError("there is no public key in PEM (-----BEGIN PUBLIC KEY-----)")
    return found


def published(path: Path) -> str:
    """The public half of the key in a file, and after it the retired ones, as PEM. Raises UsageError, OSError."""
    retired = path.with_name(RETIRED)
    return SigningKey.read(path).public.pem.rstrip() + "\n" + (retired.read_text() if retired.is_file() else "")


def key_ids(envelope: bytes) -> list[str]:
    """The ids of the keys that an envelope says it was signed with. Raises BadSignature."""
    return list(_envelope(envelope).signatures)


def opened(envelope: bytes, keys: Sequence[PublicKey], type_: str = IN_TOTO) -> bytes:
    """What is in an envelope that one of the keys has signed. Raises BadSignature."""
    found = _envelope(envelope)
    if found.payload_type != type_:
        raise BadSignature(f"it holds {found.payload_type!r}, not {type_!r}")
    if not set(found.signatures) & {key.id for key in keys}:
        ids = ", ".join(found.signatures) or "none"
        raise BadSignature(f"it is signed with a key that is not given here (key id {ids})")
    try:
        found.verify([SSlibKey.from_crypto(key.key, key.id) for key in keys], 1)
    except Error:
        raise BadSignature("the signature is not of what is in it") from None
    return found.payload


def _envelope(data: bytes) -> Envelope:
    try:
        return Envelope.from_dict(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, FormatError):
        raise BadSignature("it is no DSSE envelope") from None

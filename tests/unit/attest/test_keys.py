"""Keys, and what is signed with them."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from mlworkflow.attest.keys import BadSignature, SigningKey, key_ids, opened, public_keys, published
from mlworkflow.core.errors import UsageError


def a_key(folder: Path, name: str = "signing.key") -> SigningKey:
    return SigningKey.made(folder / name)


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = a_key(tmp_path / "home")
    assert a_key(tmp_path / "home").public == first.public
    path = tmp_path / "home/signing.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["signing.key"]


def test_the_envelope_is_dsse(tmp_path: Path) -> None:
    key = a_key(tmp_path)
    envelope = json.loads(key.sign(b"{}", "text/x"))
    assert (envelope["payloadType"], base64.b64decode(envelope["payload"])) == ("text/x", b"{}")
    (signature,) = envelope["signatures"]
    assert signature["keyid"] == key.public.id
    key.public.key.verify(base64.b64decode(signature["sig"]), b"DSSEv1 6 text/x 2 {}", ec.ECDSA(hashes.SHA256()))


def test_what_a_known_key_signed_is_opened_and_nothing_else(tmp_path: Path) -> None:
    key, other = a_key(tmp_path), a_key(tmp_path, "other")
    envelope = key.sign(b"said")
    assert opened(envelope, [other.public, key.public]) == b"said"
    assert key_ids(envelope) == [key.public.id]
    with pytest.raises(BadSignature, match=f"a key that is not given here .key id {key.public.id}"):
        opened(envelope, [other.public])
    changed = {**json.loads(envelope), "payload": base64.b64encode(b"unsaid").decode()}
    with pytest.raises(BadSignature, match="not of what is in it"):
        opened(json.dumps(changed).encode(), [key.public])
    foreign = json.loads(other.sign(b"said"))
    foreign["signatures"][0]["keyid"] = key.public.id
    with pytest.raises(BadSignature, match="not of what is in it"):
        opened(json.dumps(foreign).encode(), [key.public])
    with pytest.raises(BadSignature, match="it holds 'text/x'"):
        opened(key.sign(b"said", "text/x"), [key.public])


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"payload": "%", "payloadType": "x", "signatures": 3}'])
def test_what_is_no_envelope_is_told_so(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadSignature, match="no DSSE envelope"):
        opened(data, [a_key(tmp_path).public])


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for key in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())):
        path.write_bytes(key.private_bytes(*form))
        with pytest.raises(UsageError, match="key must be an ECDSA key on the curve P-256"):
            SigningKey.read(path)
    path.write_text("a secret")
    with pytest.raises(UsageError, match="key is no private key in PEM") as error:
        SigningKey.read(path)
    assert "a secret" not in str(error.value)


def test_retired_keys_are_published_after_the_one_in_use(tmp_path: Path) -> None:
    key, old = a_key(tmp_path), a_key(tmp_path / "old")
    (tmp_path / "retired.pem").write_text(old.public.pem)
    assert [found.id for found in public_keys(published(tmp_path / "signing.key"))] == [key.public.id, old.public.id]
    with pytest.raises(UsageError, match="there is no public key"):
        public_keys("nothing")


def test_a_key_as_the_chart_makes_it_is_read(tmp_path: Path) -> None:
    """Helm's form is SEC 1: BEGIN EC PRIVATE KEY."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    (tmp_path / "key").write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(*form))
    assert SigningKey.read(tmp_path / "key").public.pem.startswith("-----BEGIN PUBLIC KEY-----")

"""The table of outages: real servers, a real agent in a process of its own, and between them whatever may break.

Each time the user's process runs once, its result is committed once and is right, nothing is there by halves, and what is waited for is said.
The agent's waits are sixty times as short as they are (`hasty_agent`).
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import ipaddress
import os
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from minio import MinioAdmin
from minio.credentials import StaticProvider
from minio.credentials.credentials import Credentials
from minio.credentials.providers import Provider
from mlworkflow.core.observation import Result
from mlworkflow.gateway._auth import LocalTokens
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.errors import NotReady
from mlworkflow.gateway.runs import OutputSpec, Task
from mlworkflow.store._protocol import ArtifactStore, SignedPut
from mlworkflow.store.credentials import FixedKeys
from mlworkflow.store.errors import StoreFull, StoreUnavailable
from mlworkflow.store.layout import AttemptKey, cas_key
from mlworkflow.store.s3 import S3Settings, S3Store

from tests.component.agent.conftest import STEPS
from tests.component.fakes import FakeRuns, a_task, served
from tests.component.proxy import Link, answered, cut_after, late_by, passed, proxied, refused
from tests.component.servers import ACCESS_KEY, SECRET_KEY, free_port

HASTE = 60.0
DATA = os.urandom(1 << 20) * 3
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
SLOW = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
SERVERS = pytest.mark.parametrize("kind", ["minio", "seaweedfs"])


@dataclass
class Agent:
    """An attempt under way: what it was given, and what came of it."""

    folder: Path
    runs: FakeRuns
    store: S3Store
    key: AttemptKey
    process: subprocess.Popen[str]

    def succeeds(self) -> str:
        """Waits for the end, which is a success; what the agent wrote of it."""
        errors = self._ended(0)
        result = self.runs.results[self.key]
        assert (result.exit_code, result.reason, result.outputs["model"].digest) == (0, "", DIGEST), result
        assert self.store.read_bytes(cas_key(self.key.namespace, DIGEST)) == DATA
        assert len(self.objects()) == 1
        return errors

    def fails(self, reason: str) -> str:
        """Waits for the end, which is a failure that left nothing; its message."""
        self._ended(1)
        result = self.runs.results[self.key]
        assert (result.reason, dict(result.outputs)) == (reason, {}), result
        assert self.objects() == []
        return result.message

    def objects(self) -> list[str]:
        """What is in the store of this attempt's namespace."""
        return list(self.store.list(self.key.namespace + "/"))

    def waits_for(self, noun: str, *words: str) -> None:
        """Returns once the agent has told the gateway so."""
        _until(lambda: any(wait and wait.noun == noun and all(word in wait.words for word in words)
                           for wait in self.runs.waits))  # fmt: skip
        assert self.key not in self.runs.results
        assert self.objects() == []

    def _ended(self, code: int) -> str:
        _, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == code, errors
        assert (self.folder / "ran").read_text() == "once\n"
        assert "X-Amz-Signature" not in errors + repr(self.runs.waits)
        return errors


@dataclass
class Outage:
    """A gateway at `url` in front of a store, and a way to start an agent."""

    folder: Path
    runs: FakeRuns
    tokens: LocalTokens
    url: str = ""

    def start(self, store: S3Store, **environ: str) -> Agent:
        """An attempt whose process leaves 3 MiB."""
        (self.folder / "data").write_bytes(DATA)
        key = AttemptKey(f"ns-{uuid.uuid4().hex[:12]}", uuid.uuid4().hex, "train", 0)
        script = f"echo once >> {self.folder / 'ran'}; $BEFORE; cp {self.folder / 'data'} $MLWF_OUT/model"
        task = a_task(command=["sh", "-c", script], key=key, outputs={"model": OutputSpec()})
        (self.folder / "token").write_text(self.tokens.issue(self.runs.add(task)))
        settings = {
            "MLWF_GATEWAY": self.url,
            "MLWF_TOKEN_FILE": str(self.folder / "token"),
            "MLWF_ROOT": str(self.folder / "root"),
            "PYTHONPATH": STEPS,
            "HASTE": str(HASTE),
        }
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("hasty_agent.py"), "run"],
            env={**os.environ, **settings, **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        return Agent(self.folder, self.runs, store, key, process)

    def app(self, store: ArtifactStore, sign_expires: float = 900.0) -> web.Application:
        """A gateway."""
        return make_app(runs=self.runs, store=store, authenticator=self.tokens, sign_expires=sign_expires)


@pytest.fixture
def outage(tmp_path: Path) -> Outage:
    """An outage that is about to begin."""
    return Outage(tmp_path, FakeRuns(), LocalTokens())


@pytest.fixture
def store_by_way_of(s3_stores: Callable[[str], S3Store], endpoints: Callable[[str], str]) -> Callable[..., S3Store]:
    """A store of this kind whose steps reach it at another URL."""

    def store(kind: str, step_endpoint: str, **changes: Any) -> S3Store:
        s3_stores(kind)
        settings = {"endpoint": endpoints(kind), "bucket": "mlworkflow", "keys": FixedKeys(ACCESS_KEY, SECRET_KEY)}
        made = S3Store(S3Settings(**{**settings, "step_endpoint": step_endpoint, **changes}))
        made.check()
        return made

    return store


Fault = Callable[[Link], bool]


@SERVERS
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (refused, ("ConnectionResetError", "reset")),
        (answered(503, SLOW), ("503", "SlowDown: Please reduce your request rate.")),
        (cut_after(len(DATA) // 2), ("Error",)),
    ],
    ids=["reset", "busy", "cut"],
)
def test_a_store_that_breaks_uploads_is_waited_for(
    outage: Outage,
    endpoints: Callable[[str], str],
    store_by_way_of: Callable[..., S3Store],
    kind: str,
    fault: Fault,
    words: tuple[str, ...],
) -> None:
    with proxied(endpoints(kind)) as proxy:
        store = store_by_way_of(kind, proxy.url)
        with served(outage.app(store)) as outage.url:
            proxy.fault = fault
            agent = outage.start(store)
            agent.waits_for("upload of 'model'", *words)
            assert proxy.seen > 1
            proxy.fault = passed
            agent.succeeds()
    assert outage.runs.waits[-1] is None, "it said that it goes on"


@SERVERS
def test_a_store_that_nobody_listens_for_is_waited_for(
    outage: Outage, endpoints: Callable[[str], str], store_by_way_of: Callable[..., S3Store], kind: str
) -> None:
    port = free_port()
    store = store_by_way_of(kind, f"http://127.0.0.1:{port}")
    with served(outage.app(store)) as outage.url:
        agent = outage.start(store)
        agent.waits_for("upload of 'model'", "ConnectionRefusedError")
        with proxied(endpoints(kind), port=port):
            assert "upload of 'model': ConnectionRefusedError" in agent.succeeds()


@SERVERS
def test_a_url_whose_time_is_over_is_replaced_by_a_fresh_one(
    outage: Outage, endpoints: Callable[[str], str], store_by_way_of: Callable[..., S3Store], kind: str
) -> None:
    """It is good for a second, and three times in a row two seconds late on its way: as often as a refusal is final."""
    with proxied(endpoints(kind)) as proxy:
        store = store_by_way_of(kind, proxy.url)
        late = late_by(2.1)
        proxy.fault = lambda link: late(link) if proxy.seen <= 3 else True
        with served(outage.app(store, sign_expires=1.0)) as outage.url:
            agent = outage.start(store, HASTE="1")
            agent.succeeds()
        assert proxy.seen == 4


@SERVERS
def test_a_name_that_does_not_resolve_is_waited_for(
    outage: Outage, endpoints: Callable[[str], str], store_by_way_of: Callable[..., S3Store], kind: str
) -> None:
    hosts = outage.folder / "hosts"
    with proxied(endpoints(kind)) as proxy:
        store = store_by_way_of(kind, f"http://store.invalid:{proxy.port}")
        with served(outage.app(store)) as outage.url:
            agent = outage.start(store, HOSTS=str(hosts))
            agent.waits_for("upload of 'model'", "gaierror")
            assert proxy.seen == 0
            hosts.write_text("store.invalid 127.0.0.1\n")
            agent.succeeds()


@SERVERS
def test_a_certificate_of_another_authority_is_waited_for(
    outage: Outage, endpoints: Callable[[str], str], store_by_way_of: Callable[..., S3Store], kind: str
) -> None:
    """And the right authority counts as soon as it is there."""
    ours, theirs = Authority(), Authority()
    (outage.folder / "ca.crt").write_bytes(theirs.certificate())
    with proxied(endpoints(kind), context=ours.server(outage.folder)) as proxy:
        store = store_by_way_of(kind, proxy.url)
        with served(outage.app(store)) as outage.url:
            agent = outage.start(store, SSL_CERT_FILE=str(outage.folder / "ca.crt"))
            agent.waits_for("upload of 'model'", "SSLCertVerificationError")
            (outage.folder / "ca.crt").write_bytes(ours.certificate())
            agent.succeeds()


@SERVERS
def test_the_operator_too_waits_for_a_certificate_of_the_right_authority(
    tmp_path: Path, s3_stores: Callable[[str], S3Store], endpoints: Callable[[str], str], kind: str
) -> None:
    s3_stores(kind)
    ours, theirs, ca_file = Authority(), Authority(), tmp_path / "ca.crt"
    ca_file.write_bytes(theirs.certificate())
    with proxied(endpoints(kind), context=ours.server(tmp_path)) as proxy:
        keys = FixedKeys(ACCESS_KEY, SECRET_KEY)
        store = S3Store(S3Settings(endpoint=proxy.url, bucket="mlworkflow", keys=keys, ca_file=str(ca_file)))
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            store.check()
        ca_file.write_bytes(ours.certificate())
        store.check()


def test_a_store_whose_quota_is_used_up_fails_the_step_at_once_in_its_own_words(
    outage: Outage, endpoints: Callable[[str], str], store_by_way_of: Callable[..., S3Store]
) -> None:
    """MinIO's own quota; SeaweedFS has none that refuses a write as such."""
    bucket = f"small-{uuid.uuid4().hex[:8]}"
    store = store_by_way_of("minio", endpoints("minio"), bucket=bucket, create_bucket=True)
    admin = MinioAdmin(
        endpoint=endpoints("minio").removeprefix("http://"),
        credentials=StaticProvider(ACCESS_KEY, SECRET_KEY),
        secure=False,
    )
    admin.bucket_quota_set(bucket=bucket, size=1 << 20)
    with served(outage.app(store)) as outage.url:
        message = outage.start(store).fails("StoreFull")
    assert "output 'model': the store answered 400 (XMinioAdminBucketQuotaExceeded: Bucket quota exceeded" in message


@SERVERS
def test_a_store_whose_disk_is_full_fails_the_step_at_once_in_its_own_words(
    outage: Outage, endpoints: Callable[[str], str], store_by_way_of: Callable[..., S3Store], kind: str
) -> None:
    """What MinIO answers then, by somebody in between: no disk is filled for a test."""
    words = "Storage backend has reached its minimum free drive threshold. Please delete a few objects to proceed."
    full = f"<Error><Code>XMinioStorageFull</Code><Message>{words}</Message></Error>"
    with proxied(endpoints(kind)) as proxy:
        store = store_by_way_of(kind, proxy.url)
        proxy.fault = answered(507, full.encode())
        with served(outage.app(store)) as outage.url:
            message = outage.start(store).fails("StoreFull")
        assert proxy.seen == 1
    assert message.endswith(f"the store answered 507 (XMinioStorageFull: {words})")


class NoRoom(FakeRuns):
    """Runs whose records have no room, until there is some."""

    has_room = False

    async def commit(self, key: AttemptKey, result: Result) -> None:
        if not self.has_room:
            raise StoreFull("XMinioAdminBucketQuotaExceeded: Bucket quota exceeded")
        await super().commit(key, result)


def test_where_not_even_the_record_has_room_the_step_waits_and_says_so(
    outage: Outage, s3_stores: Callable[[str], S3Store]
) -> None:
    outage.runs = runs = NoRoom()
    store = s3_stores("minio")
    with served(outage.app(store)) as outage.url:
        agent = outage.start(store)
        _until(lambda: any(wait and "Bucket quota exceeded" in wait.words for wait in runs.waits))
        runs.has_room = True
        agent.succeeds()


class OtherSignatures(S3Store):
    """Its URLs for steps are signed with keys of their own, which may be replaced."""

    def __init__(self, settings: S3Settings, signing: S3Store) -> None:
        super().__init__(settings)
        self.signing = signing

    def sign_put(self, key: str, digest: str, size: int, expires: float) -> SignedPut:
        return self.signing.sign_put(key, digest, size, expires)


@pytest.fixture
def missigned(endpoints: Callable[[str], str], s3_stores: Callable[[str], S3Store]) -> OtherSignatures:
    """A store that signs uploads with a secret that is wrong."""
    settings = S3Settings(endpoint=endpoints("seaweedfs"), bucket="mlworkflow", keys=FixedKeys(ACCESS_KEY, SECRET_KEY))
    wrong = dataclasses.replace(settings, keys=FixedKeys(ACCESS_KEY, "wrong-secret"))
    store = OtherSignatures(settings, S3Store(wrong))
    s3_stores("seaweedfs")
    store.check()
    return store


def test_a_signature_that_stays_wrong_fails_the_step_after_some_minutes(
    outage: Outage, missigned: OtherSignatures
) -> None:
    with served(outage.app(missigned)) as outage.url:
        agent = outage.start(missigned)
        agent.waits_for("upload of 'model'", "SignatureDoesNotMatch")
        began = time.monotonic()
        message = agent.fails("StoreRefused")
    assert "output 'model': the store answered 403 (SignatureDoesNotMatch: " in message
    assert time.monotonic() - began < 600 / HASTE + 5


def test_a_key_that_is_replaced_under_way_costs_nothing(
    outage: Outage, missigned: OtherSignatures, s3_stores: Callable[[str], S3Store]
) -> None:
    with served(outage.app(missigned)) as outage.url:
        agent = outage.start(missigned)
        agent.waits_for("upload of 'model'", "SignatureDoesNotMatch")
        missigned.signing = s3_stores("seaweedfs")
        agent.succeeds()


class Replaced(Provider):
    """The operator's own keys, of which the secret is replaced."""

    secret = SECRET_KEY

    def retrieve(self) -> Credentials:
        return Credentials(ACCESS_KEY, self.secret)


@SERVERS
def test_while_the_operator_s_own_keys_are_refused_its_steps_wait(
    outage: Outage, store_by_way_of: Callable[..., S3Store], kind: str
) -> None:
    keys = Replaced()
    store = store_by_way_of(kind, None, keys=keys)
    keys.secret = "not-yet-the-new-one"
    with served(outage.app(store)) as outage.url:
        agent = outage.start(store)
        _until(lambda: any(wait and "SignatureDoesNotMatch" in wait.words for wait in outage.runs.waits))
        assert outage.runs.waits[0].noun == "the gateway"  # type: ignore[union-attr]
        keys.secret = SECRET_KEY
        agent.succeeds()


def test_a_gateway_that_is_restarted_in_the_middle_of_an_upload_is_waited_for(
    outage: Outage, endpoints: Callable[[str], str], store_by_way_of: Callable[..., S3Store]
) -> None:
    port = free_port()
    with proxied(endpoints("minio")) as proxy:
        store = store_by_way_of("minio", proxy.url)
        with served(outage.app(store), port) as outage.url:
            proxy.fault = refused
            agent = outage.start(store)
            agent.waits_for("upload of 'model'", "ConnectionResetError")
        proxy.fault = passed
        time.sleep(20 / HASTE)
        assert agent.key not in outage.runs.results
        with served(outage.app(store), port):
            assert "the gateway: ConnectionRefusedError" in agent.succeeds()


class Restarted(FakeRuns):
    """The runs of an operator that has just started: it does not know its workflows yet."""

    is_settled = False
    asked = 0

    def task(self, key: AttemptKey) -> Task:
        self.asked += 1
        if not self.is_settled:
            raise NotReady("the operator has not taken up this workflow yet")
        return super().task(key)


def test_an_operator_that_comes_back_without_a_memory_is_waited_for(
    outage: Outage, s3_stores: Callable[[str], S3Store]
) -> None:
    """Its log says what it waits for: who would note its word does not know it yet."""
    store, port = s3_stores("minio"), free_port()
    with served(outage.app(store), port) as outage.url:
        agent = outage.start(store, BEFORE="sleep 0.3")
        _until((outage.folder / "ran").exists)
    before, restarted = outage.runs, Restarted()
    restarted.add(before.tasks[agent.key])
    assert agent.key not in before.results
    outage.runs = agent.runs = restarted
    with served(outage.app(store), port):
        _until(lambda: restarted.asked > 8)
        restarted.is_settled = True
        assert "the gateway: the operator has not taken up this workflow yet" in agent.succeeds()


class Authority:
    """A certificate authority of its own, and a certificate of it for the loopback address."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"test {uuid.uuid4().hex}")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self._own = self._made(self._name, self._key.public_key(), constraints)

    def certificate(self) -> bytes:
        """The authority's own, in PEM."""
        return self._own.public_bytes(serialization.Encoding.PEM)

    def server(self, folder: Path) -> ssl.SSLContext:
        """What a server on the loopback address shows."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store")])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = self._made(name, key.public_key(), address)
        plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = folder / "server.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*plain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _made(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(subject_name=subject, issuer_name=self._name, public_key=key)
        builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=True)
        day = datetime.timedelta(days=1)
        return builder.not_valid_before(now - day).not_valid_after(now + day).sign(self._key, hashes.SHA256())


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)

"""Keys that change while everything goes on: replaced by hand in a Secret, or by themselves because they are a cloud identity's. The store is a real MinIO; the
identity services answer on the loopback as those of AWS do, with keys that MinIO's own STS made.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AssumeRoleProvider, Provider
from minio.minioadmin import MinioAdmin
from mlworkflow.gateway.runs import OutputSpec
from mlworkflow.store.credentials import CloudKeys, FileKeys, FixedKeys, find_keys
from mlworkflow.store.errors import KeysRefused, StoreUnavailable
from mlworkflow.store.layout import cas_key
from mlworkflow.store.s3 import S3Settings, S3Store

from tests.component.agent.conftest import Bench, make_bench
from tests.component.secret import Secret
from tests.component.servers import ACCESS_KEY, SECRET_KEY

__all__ = ["make_bench"]
DATA = b"the data"
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
TOKEN = "eyJhbGciOiJSUzI1NiJ9.a-web-identity-that-nobody-must-see.c2lnbmF0dXJl"


@pytest.fixture
def endpoint(endpoints: Callable[[str], str]) -> str:
    return endpoints("minio")


class Users:
    """Users of the store, each with its own keys."""

    def __init__(self, endpoint: str) -> None:
        self._admin = MinioAdmin(
            endpoint=endpoint.partition("//")[2], credentials=FixedKeys(ACCESS_KEY, SECRET_KEY), secure=False
        )

    def add(self) -> tuple[str, str]:
        name, secret = f"user{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
        self._admin.user_add(name, secret)
        self._admin.attach_policy(["readwrite"], user=name)
        return name, secret

    def remove(self, name: str) -> None:
        self._admin.user_remove(name)


@pytest.fixture
def users(endpoint: str) -> Users:
    return Users(endpoint)


def store_at(endpoint: str, keys: Provider) -> S3Store:
    store = S3Store(S3Settings(endpoint=endpoint, bucket="identities", keys=keys, create_bucket=True))
    store.check()
    return store


def put(store: S3Store, key: str) -> int:
    signed = store.sign_put(key, DIGEST, len(DATA), 60)
    return urllib3.request("PUT", signed.url, body=DATA, headers=signed.headers, retries=False).status


def test_keys_are_replaced_while_a_step_runs_and_its_upload_goes_on(
    make_bench: Callable[[S3Store], Bench], endpoint: str, users: Users, tmp_path: Path
) -> None:
    secret = Secret(tmp_path / "keys")
    first = users.add()
    secret.put(*first)
    store = store_at(endpoint, FileKeys(secret.folder))
    bench = make_bench(store)
    early = store.sign_get(cas_key(bench.namespace, bench.put(DATA).digest), 600)
    assert urllib3.request("GET", early).data == DATA
    flag = tmp_path / "go"
    task = bench.task(f"while ! test -e {flag}; do sleep 0.1; done; echo made > $MLWF_OUT/made", outputs={"made": OutputSpec()})  # fmt: skip
    key, process = bench.start(task)
    second = users.add()
    secret.put(*second)
    users.remove(first[0])
    flag.touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert bench.get(bench.runs.results[key].outputs["made"]) == b"made\n"
    assert urllib3.request("GET", early).status == 403, "what the old key signed has ended with it"
    later = store.sign_get(cas_key(bench.namespace, DIGEST), 600)
    assert urllib3.request("GET", later).data == DATA
    with pytest.raises(KeysRefused):
        store_at(endpoint, FixedKeys(*first)).stat("a/b")


def test_both_files_are_of_one_version_however_often_they_are_replaced(tmp_path: Path) -> None:
    secret = Secret(tmp_path / "keys")
    secret.put("id-0", "secret-0")
    keys, stop = FileKeys(secret.folder), threading.Event()

    def replace() -> None:
        for number in range(1, 400):
            secret.put(f"id-{number}", f"secret-{number}")
        stop.set()

    thread = threading.Thread(target=replace)
    thread.start()
    seen = set()
    while not stop.is_set():
        found = keys.retrieve()
        assert found.access_key.removeprefix("id-") == found.secret_key.removeprefix("secret-")
        seen.add(found.access_key)
    thread.join()
    assert len(seen) > 5


class Identity:
    """An identity service of AWS on the loopback. `lifetime` is what it says of its keys; `asked` what it was asked."""

    def __init__(self, endpoint: str, user: tuple[str, str]) -> None:
        self.endpoint, self.user = endpoint, user
        self.lifetime = timedelta(hours=1)
        self.token = TOKEN
        self.asked: list[str] = []
        self.is_down = False
        self.url = ""

    def keys(self) -> Credentials:
        name, secret = self.user
        return AssumeRoleProvider(
            sts_endpoint=self.endpoint, access_key=name, secret_key=secret, duration_seconds=3600
        ).retrieve()

    @contextmanager
    def served(self) -> Iterator[None]:
        identity = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # AssumeRoleWithWebIdentity
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                identity.asked.append(f"{query['Action']} {query['RoleArn']}")
                self.answer(query["WebIdentityToken"] == identity.token, identity.as_xml)

            def do_GET(self) -> None:  # EKS Pod Identity
                identity.asked.append(self.path)
                self.answer(self.headers["Authorization"] == identity.token, identity.as_json)

            def answer(self, is_known: bool, make: Callable[[], bytes]) -> None:
                status = 503 if identity.is_down else 200 if is_known else 400
                body = make() if status == 200 else f"<Error>{identity.token}</Error>".encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()

    def _fields(self) -> dict[str, str]:
        keys = self.keys()
        end = (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret_key, "Token": keys.session_token or "", "Expiration": end}  # fmt: skip

    def as_json(self) -> bytes:
        return json.dumps(self._fields()).encode()

    def as_xml(self) -> bytes:
        fields = self._fields()
        fields["SessionToken"] = fields.pop("Token")
        credentials = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        return f"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
          <SubjectFromWebIdentityToken>system:serviceaccount:mlworkflow:mlworkflow</SubjectFromWebIdentityToken><Audience>sts.amazonaws.com</Audience>
          <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/mlw/x</Arn><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser>
          <Credentials>{credentials}</Credentials></AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>
          </AssumeRoleWithWebIdentityResponse>""".encode()


@pytest.fixture
def identity(endpoint: str, users: Users) -> Iterator[Identity]:
    made = Identity(endpoint, users.add())
    with made.served():
        yield made


@pytest.fixture(params=["web identity", "pod identity"])
def role(request: pytest.FixtureRequest, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What EKS puts into a Pod with IRSA, or with Pod Identity; gives the file of the token."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    if request.param == "web identity":
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/mlw")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", identity.url)
    else:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{identity.url}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
    return token


class Clock:
    """The time of day, as far ahead as a test wants it."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def cloud(clock: Clock) -> CloudKeys:
    found = find_keys({**os.environ, "AWS_ACCESS_KEY_ID": "not", "AWS_SECRET_ACCESS_KEY": "these"}, cloud=True)
    assert isinstance(found, CloudKeys)
    return CloudKeys(found._make, clock)


def test_a_cloud_identity_opens_the_store(identity: Identity, role: Path, endpoint: str) -> None:
    store = store_at(endpoint, cloud(Clock()))
    key = f"ns-{uuid.uuid4().hex[:8]}/cas/x"
    store.write_bytes(key, DATA)
    assert urllib3.request("GET", store.sign_get(key, 60)).data == DATA
    assert put(store, cas_key("ns", DIGEST)) == 200
    assert len(identity.asked) == 1, "asked once, and not for every request"
    assert identity.asked[0] in ("AssumeRoleWithWebIdentity arn:aws:iam::1:role/mlw", "/v1/credentials")


def test_its_keys_are_replaced_before_they_end_with_the_token_of_that_time(
    identity: Identity, role: Path, endpoint: str
) -> None:
    clock = Clock()
    keys = cloud(clock)
    store = store_at(endpoint, keys)
    first = keys.retrieve()
    clock.ahead = timedelta(minutes=39)
    assert keys.retrieve() == first
    identity.token = TOKEN.replace("nobody", "no one")
    role.write_text(identity.token)
    clock.ahead = timedelta(minutes=41)
    assert keys.retrieve().access_key != first.access_key
    assert put(store, cas_key("ns", DIGEST)) == 200
    assert len(identity.asked) == 2


def test_short_lived_keys_are_replaced_at_half_of_their_time(identity: Identity, role: Path) -> None:
    identity.lifetime = timedelta(minutes=10)
    clock = Clock()
    keys = cloud(clock)
    first = keys.retrieve()
    clock.ahead = timedelta(minutes=4)
    assert keys.retrieve() == first
    clock.ahead = timedelta(minutes=6)
    assert keys.retrieve() != first


def test_while_the_identity_service_is_away_the_old_keys_are_used_to_their_end(
    identity: Identity, role: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    keys = cloud(clock)
    first = keys.retrieve()
    identity.is_down = True
    clock.ahead = timedelta(minutes=45)
    assert keys.retrieve() == first
    asked = len(identity.asked)
    assert keys.retrieve() == first
    assert len(identity.asked) == asked, "not again within the minute"
    clock.ahead = timedelta(minutes=61)
    with pytest.raises(StoreUnavailable, match="the store's keys cannot be had") as caught:
        keys.retrieve()
    identity.is_down, identity.token = False, "another"
    with pytest.raises(StoreUnavailable, match="400"):
        keys.retrieve()
    identity.token = TOKEN
    assert keys.retrieve() != first
    said = caplog.text + str(caught.value) + repr(caught.value.__cause__)
    for secret in (TOKEN, "nobody-must-see", first.secret_key, first.session_token or "-"):
        assert secret not in said
    assert "keys=kept" in said
    assert "keys=renewed" in said


def test_no_url_of_a_store_that_is_away_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = S3Store(S3Settings(endpoint="http://127.0.0.1:9", bucket="b", keys=FixedKeys("an-id-to-see", "s" * 20)))
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        store.write_bytes("ns/x", DATA)
    assert time.monotonic() - started < 20
    assert "X-Amz" not in caplog.text
    assert "an-id-to-see" not in caplog.text

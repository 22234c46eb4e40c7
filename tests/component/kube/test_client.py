"""The client against a fake API server that throttles, breaks, resets and forgets us."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from mlworkflow.kube import errors
from mlworkflow.kube.auth import Auth, TokenFile
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient, log_params
from mlworkflow.kube.config import ClusterConfig
from mlworkflow.kube.kopf_settings import login_with
from mlworkflow.kube.transport import RequestKey

from tests.component.kube.fake_api import PODS, FakeApi, Fault, error_event, lines, reset, silence, status, until
from tests.unit.kube.fake_clock import FakeClock

BACKOFF = Backoff(base=0.1, cap=5.0, attempts=4, random=lambda: 1.0)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@asynccontextmanager
async def connected(
    api: FakeApi, clock: FakeClock, auth: Auth | None = None, limit: int = 32
) -> AsyncIterator[KubeClient]:
    async with (
        api.served(auth) as config,
        KubeClient(config, clock=clock, backoff=BACKOFF, limit=limit, timeout=2) as client,
    ):
        yield client


async def test_an_object_lives_and_dies(api: FakeApi, clock: FakeClock) -> None:
    async with connected(api, clock) as client:
        created = await client.create(PODS, {"metadata": {"name": "a"}})
        version = created["metadata"]["resourceVersion"]
        patched = await client.patch_status(
            f"{PODS}/a", {"metadata": {"resourceVersion": version}, "status": {"phase": "Running"}}
        )
        found = await client.get(f"{PODS}/a")
        assert found["status"] == {"phase": "Running"}
        assert patched == found["metadata"]["resourceVersion"]
        with pytest.raises(errors.Conflict):
            await client.patch_status(f"{PODS}/a", {"metadata": {"resourceVersion": version}, "status": {}})
        await client.delete(f"{PODS}/a", uid="u", grace_period=0, propagation="Background")
        assert (await client.list(PODS))["items"] == []
        counts = client.statistics()
    patch, delete = api.requests("patch")[0], api.requests("delete")[0]
    assert patch.content_type == "application/merge-patch+json"
    assert patch.path.endswith("/a/status")
    assert await delete.json() == {
        "preconditions": {"uid": "u"},
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Background",
    }
    assert counts.requests[RequestKey("patch", "pods/status", 409)] == 1
    assert counts.total("create", "pods") == 1
    assert counts.total() == 6
    assert (counts.retries, counts.in_flight) == (0, 0)
    with pytest.raises(TypeError):
        counts.requests[RequestKey("x", "y", 0)] = 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Gone),
        (422, "Invalid", errors.Invalid),
        (401, "Unauthorized", errors.Unauthorized),
        (400, "BadRequest", errors.ApiError),
        (301, "", errors.ApiError),
    ],
)
async def test_a_refusal_is_a_typed_error_and_is_not_repeated(
    api: FakeApi, clock: FakeClock, code: int, reason: str, error: type[errors.ApiError]
) -> None:
    api.on("create", status(code, reason, "the cause", Location="http://elsewhere/"))
    async with connected(api, clock) as client:
        with pytest.raises(error, match="the cause") as caught:
            await client.create(PODS, {"metadata": {"name": "a"}})
    assert type(caught.value) is error
    assert caught.value.status == code
    assert len(api.requests("create")) == 1
    assert clock.slept == []


async def test_a_throttled_request_waits_as_long_as_the_server_asks(api: FakeApi, clock: FakeClock) -> None:
    api.on("create", status(429, "TooManyRequests", Retry_After="2"), status(429, "TooManyRequests"))
    async with connected(api, clock) as client:
        await client.create(PODS, {"metadata": {"generateName": "a-"}})
        assert client.statistics().retries == 2
    assert clock.slept == [2.0, pytest.approx(0.2)]


async def test_a_long_throttling_is_left_to_the_caller(api: FakeApi, clock: FakeClock) -> None:
    api.on("get", status(429, "TooManyRequests", Retry_After="60"))
    async with connected(api, clock) as client:
        with pytest.raises(errors.Throttled) as caught:
            await client.get(f"{PODS}/a")
    assert caught.value.retry_after == 60
    assert clock.slept == []


async def test_a_broken_server_is_given_up_after_a_few_attempts(api: FakeApi, clock: FakeClock) -> None:
    api.on("list", *[status(503, "ServiceUnavailable")] * 9)
    async with connected(api, clock) as client:
        with pytest.raises(errors.Unavailable):
            await client.list(PODS)
    assert clock.slept == [pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.4)]


async def test_a_reset_connection_is_repeated(api: FakeApi, clock: FakeClock) -> None:
    api.put("a")
    api.on("patch", reset, reset)
    async with connected(api, clock) as client:
        assert (await client.merge_patch(f"{PODS}/a", {"spec": 1}))["spec"] == 1


async def test_a_create_whose_answer_is_lost_ends_as_already_existing(api: FakeApi, clock: FakeClock) -> None:
    async def carried_out_but_lost(request: web.Request) -> web.StreamResponse | None:
        api.put("a")
        return await reset(request)

    api.on("create", carried_out_but_lost)
    async with connected(api, clock) as client:
        with pytest.raises(errors.AlreadyExists):
            await client.create(PODS, {"metadata": {"name": "a"}})


async def test_a_create_without_a_name_is_never_repeated_blindly(api: FakeApi, clock: FakeClock) -> None:
    api.on("create", reset)
    async with connected(api, clock) as client:
        with pytest.raises(errors.Unavailable):
            await client.create(PODS, {"metadata": {"generateName": "a-"}})
    assert len(api.requests("create")) == 1


async def test_no_server_at_all_is_unavailable(clock: FakeClock) -> None:
    config = ClusterConfig("http://127.0.0.1:1", None, TokenFile(Path("/nonexistent")))
    async with KubeClient(config, clock=clock, backoff=BACKOFF) as client:
        with pytest.raises(errors.Unauthorized, match="cannot read the token"):
            await client.get("/version")
    async with FakeApi().served() as config:
        pass
    async with KubeClient(config, clock=clock, backoff=BACKOFF) as client:
        with pytest.raises(errors.Unavailable) as caught:
            await client.get("/version")
        assert client.statistics().requests == {RequestKey("get", "/version", 0): 4}
    assert caught.value.status == 0


async def test_an_answer_that_is_not_json_is_unavailable(api: FakeApi, clock: FakeClock) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>a proxy</html>", status=502)

    async def cut(request: web.Request) -> web.StreamResponse:
        return web.Response(text='{"items": [')

    api.on("list", *[page] * 4, cut)
    async with connected(api, clock) as client:
        with pytest.raises(errors.Unavailable, match="a proxy"):
            await client.list(PODS)
        with pytest.raises(errors.Unavailable):
            await client.list(PODS)


async def test_a_rotated_token_is_read_again_once_for_all(api: FakeApi, clock: FakeClock, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    api.token = "old"
    async with connected(api, clock, TokenFile(token, now=clock.now)) as client:
        await client.list(PODS)
        token.write_text("new\n")
        await client.list(PODS)  # the old one still works, and is not read again
        api.token = "new"
        await asyncio.gather(*(client.create(PODS, {"metadata": {"name": f"p{i}"}}) for i in range(5)))
        assert len(api.pods) == 5
        api.token = "unknown"
        with pytest.raises(errors.Unauthorized):
            await client.list(PODS)
        token.write_text("third")
        api.token = "third"
        clock.advance(61)
        attempts = len(api.seen)
        await client.list(PODS)
        assert len(api.seen) == attempts + 1


async def test_requests_are_bounded_and_watches_do_not_count(api: FakeApi, clock: FakeClock) -> None:
    async def slow(request: web.Request) -> None:
        await asyncio.sleep(0.01)

    api.put("a")
    api.on("get", *[slow] * 20)
    async with connected(api, clock, limit=3) as client:

        async def watch() -> None:
            async for _ in client.watch(PODS, {"resourceVersion": "100"}):
                pass

        watches = [asyncio.create_task(watch()) for _ in range(6)]
        await until(lambda: api.watches == 6)
        await asyncio.gather(*(client.get(f"{PODS}/a") for _ in range(20)))
        for task in watches:
            task.cancel()
    assert api.busiest == 3


async def test_closing_the_session_that_kopf_was_given_hurts_nobody(api: FakeApi, clock: FakeClock) -> None:
    async with connected(api, clock) as client:
        login = login_with(client)
        first, second = await login(logger=None), await login()
        assert first.server == client.config.server
        await first.aiohttp_session.close()
        await client.list(PODS)
        async with second.aiohttp_session.get(first.server + PODS) as response:
            assert response.status == 200
        await second.aiohttp_session.close()


async def test_pages_are_of_one_snapshot(api: FakeApi, clock: FakeClock) -> None:
    for number in range(5):
        api.put(f"p{number}")
    async with connected(api, clock) as client:
        pages = [page async for page in client.pages(PODS, {"labelSelector": "a=b"}, chunk=2)]
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert {page["metadata"]["resourceVersion"] for page in pages} == {"105"}
    assert all(request.query["labelSelector"] == "a=b" for request in api.requests("list"))


async def test_events_come_whole_however_the_bytes_are_cut(api: FakeApi, clock: FakeClock) -> None:
    async def piecemeal(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        text = '{"type":"ADDED","object":{"metadata":{"resourceVersion":"7","name":"é"}}}\n'.encode() * 2
        for start in range(0, len(text), 3):
            await response.write(text[start : start + 3])
        return response

    api.on("watch", piecemeal)
    async with connected(api, clock) as client:
        events = [event async for event in client.watch(PODS, {"resourceVersion": "1"})]
    assert [(event.type, event.object["metadata"]["name"]) for event in events] == [("ADDED", "é")] * 2
    assert api.requests("watch")[0].query["allowWatchBookmarks"] == "true"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lines(error_event(410, "Expired")), errors.Gone),
        (lines(error_event(500, "InternalError")), errors.Unavailable),
        (lines(error_event(429, "TooManyRequests")), errors.Throttled),
        (status(410, "Expired"), errors.Gone),
        (status(403, "Forbidden"), errors.Forbidden),
        (lines(b"<html>\n"), errors.Unavailable),
        (lines(b'{"type":"ADDED"}\n'), errors.Unavailable),
        (lines(b'["ADDED"]\n'), errors.Unavailable),
        (lines(b'{"type":"ERROR","object":null}\n'), errors.Unavailable),
        (lines(b'{"type":"ADD'), errors.Unavailable),
        (lines(then=silence), errors.Unavailable),
        (silence, errors.Unavailable),
        (lines(then=reset), errors.Unavailable),
        (reset, errors.Unavailable),
    ],
    ids=[
        "an ERROR event with 410",
        "an ERROR event with 500",
        "an ERROR event with 429",
        "410",
        "403",
        "a page",
        "no object",
        "a list",
        "an empty ERROR",
        "half a line",
        "silence after the head",
        "silence",
        "a reset after the head",
        "a reset",
    ],
)
async def test_trouble_on_a_watch_is_a_typed_error(
    api: FakeApi, clock: FakeClock, fault: Fault, error: type[errors.ApiError]
) -> None:
    api.on("watch", fault)
    async with connected(api, clock) as client:
        with pytest.raises(error) as caught:
            async for _ in client.watch(PODS, {"resourceVersion": "100"}, inactivity_timeout=0.05):
                pass
    assert type(caught.value) is error


async def test_leaving_a_watch_early_frees_its_connection(api: FakeApi, clock: FakeClock) -> None:
    async with connected(api, clock) as client:
        api.put("a")
        async with aclosing(client.watch(PODS, {"resourceVersion": "100"})) as events:
            async for event in events:
                assert event.type == "ADDED"
                break
        await asyncio.sleep(0)
        assert client.statistics().requests == {RequestKey("watch", "pods", 200): 1}


async def test_logs_are_read_and_followed(api: FakeApi, clock: FakeClock) -> None:
    async def log(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"one\ntwo\n")

    api.on("get", log, log)
    async with connected(api, clock) as client:
        assert await client.read_log("ns", "a", container="main", tail_lines=10) == b"one\ntwo\n"
        pieces = [piece async for piece in client.stream(f"{PODS}/a/log", log_params("main", follow=True))]
        assert RequestKey("get", "pods/log", 200) in client.statistics().requests
    assert b"".join(pieces) == b"one\ntwo\n"
    assert [dict(request.query) for request in api.requests("get")] == [
        {"container": "main", "tailLines": "10"},
        {"container": "main", "follow": "true"},
    ]

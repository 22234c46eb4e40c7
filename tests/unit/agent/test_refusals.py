"""What a store's refusal means: which are waited out, which are final at once, and which once they are repeated."""

from __future__ import annotations

import pytest
from mlworkflow_steps.agent.errors import StepFailure
from mlworkflow_steps.agent.refusals import GRACE, Refusals


class Answer:
    """What `Refusals` reads of an answer."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._body = body

    def read(self, limit: int) -> bytes:
        return self._body[:limit]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def s3(status: int, code: str, message: str = "words") -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())


def refusals(clock: Clock | None = None) -> Refusals:
    return Refusals("output 'model'", clock or Clock())


def heard(refusals: Refusals, answer: Answer) -> str:
    return refusals.heard(answer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer",
    [
        s3(503, "SlowDown"),
        s3(500, "InternalError"),
        s3(400, "RequestTimeout"),
        s3(400, "IncompleteBody"),
        s3(409, "OperationAborted"),
        s3(429, "TooManyRequests"),
        Answer(408, b""),
        Answer(502, b"<html>Bad gateway</html>"),
        Answer(504, b""),
    ],
)
def test_a_store_that_is_busy_or_broken_is_waited_for_as_long_as_patience_lasts(answer: Answer) -> None:
    clock = Clock()
    seen = refusals(clock)
    for _ in range(1000):
        assert str(answer.status) in heard(seen, answer)
        clock.now += GRACE


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (s3(507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold."), "XMinioStorageFull: Storage backend has"),
        (s3(400, "XMinioAdminBucketQuotaExceeded", "Bucket quota exceeded"), "XMinioAdminBucketQuotaExceeded: Bucket quota"),
        (s3(403, "QuotaExceeded"), "QuotaExceeded"),
        (s3(503, "InsufficientStorage"), "InsufficientStorage"),
        (Answer(507, b'{"error": "No space left on device"}'), "No space left on device"),
    ],
)  # fmt: skip
def test_a_store_that_is_full_is_final_at_once_in_its_own_words(answer: Answer, words: str) -> None:
    with pytest.raises(StepFailure, match=words) as caught:
        heard(refusals(), answer)
    assert caught.value.reason == "StoreFull"
    assert str(caught.value).startswith("output 'model': the store answered ")


def test_an_object_that_is_too_large_is_refused_at_once() -> None:
    with pytest.raises(StepFailure, match="EntityTooLarge") as caught:
        heard(refusals(), s3(400, "EntityTooLarge"))
    assert caught.value.reason == "StoreRefused"


@pytest.mark.parametrize(
    "answer", [s3(403, "AccessDenied"), s3(404, "NoSuchBucket"), s3(400, "InvalidRequest"), Answer(301, b"")]
)
def test_a_refusal_is_final_the_third_time(answer: Answer) -> None:
    seen = refusals()
    heard(seen, answer)
    heard(seen, answer)
    with pytest.raises(StepFailure, match=str(answer.status)) as caught:
        heard(seen, answer)
    assert caught.value.reason == "StoreRefused"


KEYS = [
    s3(403, "InvalidAccessKeyId"),
    s3(403, "SignatureDoesNotMatch"),
    s3(400, "ExpiredToken"),
    s3(403, "InvalidTokenId"),
    s3(403, "AccessDenied", "Request has expired"),
    s3(403, "RequestTimeTooSkewed"),
    Answer(403, b'{"error": "the grant has expired"}'),
    Answer(403, b'{"error": "the signature does not match"}'),
]


@pytest.mark.parametrize("answer", KEYS)
def test_keys_that_are_refused_may_be_on_their_way_and_get_some_minutes(answer: Answer) -> None:
    clock = Clock()
    seen = refusals(clock)
    for _ in range(100):
        heard(seen, answer)
        clock.now += GRACE / 101
    clock.now += GRACE
    with pytest.raises(StepFailure) as caught:
        heard(seen, answer)
    assert caught.value.reason == "StoreRefused"


def test_one_late_refusal_of_keys_is_not_the_third() -> None:
    clock = Clock()
    seen = refusals(clock)
    heard(seen, KEYS[0])
    clock.now += GRACE * 10  # a slow try, not a long series of them
    heard(seen, KEYS[0])
    with pytest.raises(StepFailure):
        heard(seen, KEYS[0])


def test_what_was_refused_before_progress_counts_no_more() -> None:
    clock = Clock()
    seen = refusals(clock)
    for answer in (s3(403, "AccessDenied"), s3(403, "AccessDenied"), KEYS[0], KEYS[0]):
        heard(seen, answer)
    clock.now += GRACE * 2
    seen.forget()
    heard(seen, s3(403, "AccessDenied"))
    heard(seen, KEYS[0])
    heard(seen, KEYS[0])

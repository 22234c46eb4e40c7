"""What API servers say when they do not create a Pod, word for word, and whether it may pass."""

from __future__ import annotations

import pytest
from mlworkflow.engine.driver import NotNow, Refused
from mlworkflow.kube.errors import error_from_status, no_answer
from mlworkflow.kube.refusals import refusal

POD = 'pods "w-a-0-0123456789" is forbidden: '

PASSES = [
    (403, "Forbidden", POD + "exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1"),
    (403, "Forbidden", POD + "status unknown for quota: few, resources: pods"),
    (403, "Forbidden", POD + "maximum cpu usage per Container is 16, but request is 17"),
    (403, "Forbidden", POD + "maximum memory usage per Pod is 1Gi.  No limit is specified"),
    (403, "Forbidden", POD + "minimum memory usage per Container is 64Mi, but request is 32Mi"),
    (403, "Forbidden", POD + "minimum ephemeral-storage usage per Pod is 1Gi.  No request is specified"),
    (403, "Forbidden", POD + "cpu max limit to request ratio per Container is 10, but provided ratio is 100.000000"),
    (403, "Forbidden", POD + "memory max limit to request ratio per Pod is 2, but no limit is specified or limit is 0"),
    (403, "Forbidden", POD + "[maximum cpu usage per Container is 1, but limit is 2, minimum memory usage per Container is 64Mi, but request is 32Mi]"),
    (403, "Forbidden", POD + 'error looking up service account ml/default: serviceaccount "default" not found'),
    (403, "Forbidden", POD + 'no API token found for service account "default", retry after the token is automatically created and added to the service account'),
    (403, "Forbidden", POD + "not yet ready to handle request"),
    (409, "Conflict", 'Operation cannot be fulfilled on resourcequotas "few": the object has been modified; please apply your changes to the latest version and try again'),
    (429, "TooManyRequests", "the server has received too many requests and has asked us to try again later"),
    (401, "Unauthorized", "Unauthorized"),
    (500, "InternalError", 'Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": Post "https://kyverno-svc.kyverno.svc:443/validate?timeout=10s": context deadline exceeded'),
    (500, "InternalError", 'Internal error occurred: failed calling webhook "mutate.kyverno.svc-fail": failed to call webhook: Post "https://kyverno-svc.kyverno.svc:443/mutate/fail?timeout=10s": no endpoints available for service "kyverno-svc"'),
    (500, "InternalError", 'admission webhook "injector.example.com" denied the request: cannot reach the vault'),
    (500, "InternalError", "Internal error occurred: resource quota evaluation timed out"),
    (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    (504, "Timeout", "request did not complete within requested timeout - context deadline exceeded"),
]  # fmt: skip

STAYS = [
    (403, "Forbidden", 'admission webhook "validation.gatekeeper.sh" denied the request: [only-our-registry] container <step> has an invalid image repo'),
    (403, "Forbidden", 'admission webhook "quota.example.com" denied the request: exceeded quota of team-a'),
    (403, "Forbidden", 'admission webhook "image-signature.example.com" denied the request without explanation'),
    (400, "BadRequest", 'admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/ml/w was blocked due to the following policies'),
    (422, "Invalid", POD + "ValidatingAdmissionPolicy 'no-gpus' with binding 'no-gpus' denied request: team-a has no GPUs"),
    (403, "Forbidden", POD + "ValidatingAdmissionPolicy 'sizes' with binding 'sizes' denied request: maximum cpu usage per Container is 4"),
    (403, "Forbidden", POD + 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "step" must set securityContext.allowPrivilegeEscalation=false)'),
    (403, "Forbidden", POD + "no PriorityClass with name hgih was found"),
    (403, "Forbidden", POD + "failed quota: compute: must specify limits.cpu for: step"),
    (403, "Forbidden", POD + "unable to create new content in namespace ml because it is being terminated"),
    (403, "Forbidden", 'pods is forbidden: User "system:serviceaccount:mlworkflow:mlworkflow" cannot create resource "pods" in API group "" in the namespace "ml"'),
    (404, "NotFound", 'namespaces "ml" not found'),
    (422, "Invalid", 'Pod "w-a-0-0123456789" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'),
    (400, "BadRequest", 'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.continers"'),
    (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "reason", "message"), PASSES, ids=[message[-48:] for _, _, message in PASSES])
def test_what_may_pass_is_waited_for(code: int, reason: str, message: str) -> None:
    found = refusal(error_from_status({"code": code, "reason": reason, "message": message}))
    assert isinstance(found, NotNow)
    assert str(found) == message


@pytest.mark.parametrize(("code", "reason", "message"), STAYS, ids=[message[-48:] for _, _, message in STAYS])
def test_what_will_not_pass_is_final_in_the_servers_words(code: int, reason: str, message: str) -> None:
    found = refusal(error_from_status({"code": code, "reason": reason, "message": message}))
    assert isinstance(found, Refused)
    assert str(found) == message


def test_no_answer_is_no_refusal() -> None:
    assert isinstance(refusal(no_answer(TimeoutError())), NotNow)

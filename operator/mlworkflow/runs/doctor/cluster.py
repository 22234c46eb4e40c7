"""A cluster, asked read-only for all that workflows need there. What may not be looked at is told as a warning, and the rest goes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import ApiError, Forbidden, NotFound
from mlworkflow.kube.paths import MLWORKFLOWS, NAMESPACES, Resource
from mlworkflow.runs.doctor import verdicts
from mlworkflow.runs.doctor.check import Check, Level, fail, ok, warn
from mlworkflow.runs.doctor.permissions import NEEDS, Need
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.reader import FALLBACK, PART_OF, Reader

_CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
_DEPLOYMENTS = Resource("apps", "v1", "deployments")
_REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
_SELVES = Resource("authentication.k8s.io", "v1", "selfsubjectreviews")
_NODES = Resource("", "v1", "nodes")
_QUOTAS = Resource("", "v1", "resourcequotas")
_CLAIMS = Resource("", "v1", "persistentvolumeclaims")
_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses")
_NO_BUCKET = "NoSuchBucket"
_OPERATOR = f"{PART_OF},app.kubernetes.io/component=operator"


@dataclass(slots=True)
class Patient:
    """What is looked at; `deployments` and `operator_namespace` are found on the way."""

    client: KubeClient
    namespace: str
    operator_namespace: str | None
    reader: Reader
    deployments: Sequence[Mapping[str, Any]] = ()

    async def checks(self) -> AsyncGenerator[Check, None]:
        """Every check, in an order in which the first that fails explains those after it."""
        try:
            yield verdicts.version(await self.client.get("/version"), self.client.config.server)
        except ApiError as error:
            fix = (
                "log in again, as for kubectl"
                if error.status == 401
                else "kubectl cluster-info; name another: --context NAME"
            )
            yield fail("cluster", f"no answer from {self.client.config.server}: {error.message}", fix)
            return
        looks: Sequence[tuple[str, Callable[[], AsyncGenerator[Check, None]]]] = (
            ("crd", self._definition),
            ("operator", self._operator),
            ("permission", self._permissions),
            ("gateway", self._gateway),
            ("store", self._store),
            ("namespace", self._namespace),
            ("quota", self._quotas),
            ("images", self._images),
            ("storage", self._storage),
        )
        for name, look in looks:
            async for check in _patiently(name, look):
                yield check

    async def _definition(self) -> AsyncGenerator[Check, None]:
        from mlworkflow.schema.crd import crd

        ours = crd()
        try:
            yield verdicts.definition(await self.client.get(_CRDS.path(name=ours["metadata"]["name"])), ours)
        except NotFound:
            yield fail("crd", f"this cluster has no {ours['metadata']['name']}", verdicts.UPGRADE)
        except Forbidden:  # most people may not read it: that there is one is told by its group
            try:
                await self.client.get(f"/apis/{MLWORKFLOWS.group}/{MLWORKFLOWS.version}")
            except NotFound:
                yield fail("crd", f"this cluster has no {ours['metadata']['name']}", verdicts.UPGRADE)
            else:
                yield ok(
                    "crd",
                    f"{ours['metadata']['name']} {MLWORKFLOWS.version} (you may not read its schema, to compare it)",
                )

    async def _operator(self) -> AsyncGenerator[Check, None]:
        places = [self.operator_namespace] if self.operator_namespace else [None, FALLBACK]
        refusal: Forbidden | None = None
        for place in places:
            try:
                listed = await self.client.list(_DEPLOYMENTS.path(place), {"labelSelector": _OPERATOR})
            except Forbidden as error:
                refusal = error
                continue
            self.deployments = listed["items"]
            break
        else:
            assert refusal is not None
            raise refusal
        for check in verdicts.operator(self.deployments, metadata.version("mlworkflow")):
            yield check
        for deployment in self.deployments[:1]:
            self.operator_namespace = str(deployment["metadata"]["namespace"])
            yield verdicts.watched(self.namespace, verdicts.settings(deployment))

    async def _permissions(self) -> AsyncGenerator[Check, None]:
        user = await self._user()
        gateway = (await self.reader.gateway()).rpartition("/")[2]
        for need in NEEDS:
            yield await self._permission(need, user, gateway)

    async def _permission(self, need: Need, user: str, gateway: str) -> Check:
        name, home = "permission", self.operator_namespace or FALLBACK
        denied = []
        for permission in need.permissions:
            where = home if permission.of_operator else self.namespace
            body = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "metadata": {},
                "spec": {"resourceAttributes": permission.review(where, gateway)},
            }
            answer = await self.client.create(_REVIEWS.path(), body)
            if not answer["status"]["allowed"]:
                denied.append(f"{permission} in {where}")
        if not denied:
            return ok(name, f"{need.commands}: allowed")
        words = f"{need.commands}: you may not {', '.join(denied)}"
        return Check(name, Level.FAIL if need.is_essential else Level.WARN, words, need.fix(user, self.namespace, home))

    async def _user(self) -> str:
        try:
            body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
            return str((await self.client.create(_SELVES.path(), body))["status"]["userInfo"]["username"])
        except (ApiError, KeyError):
            return "NAME"

    async def _gateway(self) -> AsyncGenerator[Check, None]:
        path = await self.reader.gateway()
        try:
            async with aclosing(self.client.stream(f"{path}/proxy/healthz")) as pieces:
                async for _ in pieces:
                    pass
        except NotFound:
            yield fail(
                "gateway", f"there is no Service {path}", f"{verdicts.UPGRADE}, or name it: --operator-namespace NAME"
            )
        except Forbidden as error:
            yield warn("gateway", f"you may not ask it: {error.message}", "see the permissions above")
        except ApiError as error:
            where = f"-n {self.operator_namespace or FALLBACK}"
            yield fail("gateway", f"it does not answer: {error.message}", f"kubectl get pods,endpointslices {where}")
        else:
            yield ok("gateway", f"answers at {path.partition('/namespaces/')[2].replace('/services/', '/')}")

    async def _store(self) -> AsyncGenerator[Check, None]:
        where = f"-n {self.operator_namespace or FALLBACK}"
        try:
            await self.reader.json("archive", {"name": "mlwf-doctor"})
        except RunsError as error:
            yield warn("store", f"cannot be asked: {error}", "see the permissions above")
        except ApiError as error:
            if _NO_BUCKET in error.message:  # as long as nothing has ever run
                yield ok("store", "answers; the bucket is made for the first workflow")
            elif (
                isinstance(error, Forbidden) and error.reason == "Forbidden"
            ):  # the API server's own word, not the store's
                yield warn("store", f"cannot be asked: {error.message}", "see the permissions above")
            else:
                fix = f"kubectl get pods {where}; kubectl logs {where} deploy/mlworkflow"
                yield fail("store", f"the gateway cannot read it: {error.message}", fix)
        else:
            yield ok("store", f"answers for the namespace {self.namespace}, by way of the gateway")

    async def _namespace(self) -> AsyncGenerator[Check, None]:
        try:
            yield verdicts.admission(await self.client.get(NAMESPACES.path(name=self.namespace)))
        except NotFound:
            yield fail(
                "namespace", f"there is no namespace {self.namespace}", f"kubectl create namespace {self.namespace}"
            )

    async def _quotas(self) -> AsyncGenerator[Check, None]:
        for check in verdicts.quotas((await self.client.list(_QUOTAS.path(self.namespace)))["items"]):
            yield check

    async def _images(self) -> AsyncGenerator[Check, None]:
        for deployment in self.deployments[:1]:
            if image := verdicts.settings(deployment).get("MLWF_STEPS_IMAGE"):
                yield verdicts.images((await self.client.list(_NODES.path()))["items"], image)

    async def _storage(self) -> AsyncGenerator[Check, None]:
        claims = await self.client.list(_CLAIMS.path(self.operator_namespace or FALLBACK), {"labelSelector": PART_OF})
        yield verdicts.storage(claims["items"], (await self.client.list(_CLASSES.path()))["items"])


async def _patiently(name: str, look: Callable[[], AsyncGenerator[Check, None]]) -> AsyncIterator[Check]:
    """The checks of one look; what the server refuses is one too."""
    try:
        async with aclosing(look()) as checks:
            async for check in checks:
                yield check
    except Forbidden as error:
        yield warn(name, f"you may not look at it: {error.message}", "ask somebody who may: mlwf doctor")
    except (ApiError, RunsError) as error:
        yield warn(name, f"cannot be looked at: {error}", getattr(error, "hint", "") or "mlwf doctor, once more")

"""What the name of an image means, as far as it is known before a Pod runs it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from mlworkflow.kube.image_names import DOCKER, ImageName, credentials_for
from mlworkflow.kube.images import Images, Meaning

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


async def test_a_digest_in_the_name_is_what_it_says() -> None:
    images = Images("Always")
    images.report(f"x:1@{A}", B)
    assert await images.meaning(f"x:1@{A}") == Meaning(A)


async def test_a_tag_means_what_the_cluster_has_last_said() -> None:
    images = Images("IfNotPresent")
    unknown = Meaning(why="no Pod has run it yet, and its name has no digest in it")
    assert await images.meaning("x:1") == unknown
    images.report("x:1", A)
    images.report("x:1", "")  # a Pod that has not started
    assert await images.meaning("x:1") == Meaning(A)
    images.report("x:1", B)
    assert await images.meaning("x:1") == Meaning(B)
    assert await images.meaning("x:2") == unknown


async def test_a_tag_that_is_pulled_each_time_may_mean_anything() -> None:
    images = Images("Always")
    images.report("x:1", A)
    assert await images.meaning("x:1") == Meaning(why="it is pulled anew each time, and its name has no digest in it")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("busybox", ImageName(DOCKER, "library/busybox", "latest")),
        ("docker.io/busybox:1.36", ImageName(DOCKER, "library/busybox", "1.36")),
        ("index.docker.io/me/x", ImageName(DOCKER, "me/x", "latest")),
        ("me/x:1", ImageName(DOCKER, "me/x", "1")),
        ("ghcr.io/a/b/c:v1.2_3", ImageName("ghcr.io", "a/b/c", "v1.2_3")),
        ("localhost/x", ImageName("localhost", "x", "latest")),
        ("localhost:5000/x:1", ImageName("localhost:5000", "x", "1")),
        ("[::1]:5000/x", ImageName("[::1]:5000", "x", "latest")),
        (f"r.io/x:1@{A}", ImageName("r.io", "x", "1", A)),
        (f"x@{A}", ImageName(DOCKER, "library/x", "latest", A)),
        ("", None),
        ("UPPER", None),
        ("x/", None),
        ("x:", None),
        ("https://r.io/x", None),
        ("r.io/../x", None),
        ("r.io/x?y=1", None),
        ("r.io/x@sha256:12", None),
        ("me@r.io/x", None),
    ],
)
def test_a_name_is_read_as_runtimes_read_it(text: str, name: ImageName | None) -> None:
    assert ImageName.parse(text) == name


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("image", "auths", "found"),
    [
        ("ghcr.io/x", {"ghcr.io": auth("u", "p:w")}, ("u", "p:w")),
        ("ghcr.io/x", {"https://ghcr.io": {"username": "u", "password": "p"}}, ("u", "p")),
        ("busybox", {"https://index.docker.io/v1/": auth("u", "p")}, ("u", "p")),
        ("r.io:5000/x", {"r.io": auth("u", "p")}, None),
        ("r.io/team/x", {"r.io": auth("all", "p"), "r.io/team": auth("team", "p")}, ("team", "p")),
        ("r.io/teams/x", {"r.io/team": auth("team", "p")}, None),
        ("r.io/x", {"r.io": {"auth": "no base64!"}}, None),
        ("r.io/x", {"r.io": None}, None),
        ("r.io/x", [], None),
    ],
)
def test_credentials_are_those_of_the_registry(image: str, auths: Any, found: tuple[str, str] | None) -> None:
    name = ImageName.parse(image)
    assert name is not None
    assert credentials_for(name, {"auths": auths}) == found

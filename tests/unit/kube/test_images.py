"""What the name of an image means, as far as it is known before a Pod runs it."""

from __future__ import annotations

from mlworkflow.kube.images import Images

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def test_a_digest_in_the_name_is_what_it_says() -> None:
    images = Images("Always")
    images.report(f"x:1@{A}", B)
    assert images.digest(f"x:1@{A}") == A


def test_a_tag_means_what_the_cluster_has_last_said() -> None:
    images = Images("IfNotPresent")
    assert images.digest("x:1") == ""
    assert images.why("x:1") == "no Pod has run it yet, and its name has no digest in it"
    images.report("x:1", A)
    images.report("x:1", "")  # a Pod that has not started
    assert images.digest("x:1") == A
    images.report("x:1", B)
    assert images.digest("x:1") == B
    assert images.digest("x:2") == ""


def test_a_tag_that_is_pulled_each_time_may_mean_anything() -> None:
    images = Images("Always")
    images.report("x:1", A)
    assert images.digest("x:1") == ""
    assert images.why("x:1") == "it is pulled anew each time, and its name has no digest in it"

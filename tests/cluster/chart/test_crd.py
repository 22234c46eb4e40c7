"""The chart carries the very resource definition of crds/."""

import yaml


def rendered(manifests):
    """The definition as rendered, apart from what the chart adds: its labels, and the annotation that keeps it."""
    crd = manifests.one("CustomResourceDefinition")
    crd["metadata"].pop("labels")
    kept = crd["metadata"].get("annotations", {}).pop("helm.sh/resource-policy", None)
    if not crd["metadata"].get("annotations"):
        crd["metadata"].pop("annotations", None)
    return crd, kept


def test_the_chart_s_copy_is_the_canonical_file(chart):
    canonical = chart.parents[1] / "crds" / "mlworkflows.mlworkflow.io.yaml"
    assert (chart / "files" / "crd-mlworkflows.yaml").read_bytes() == canonical.read_bytes()


def test_rendering_changes_nothing_but_the_labels(render, chart):
    crd, kept = rendered(render())
    assert crd == yaml.safe_load((chart / "files" / "crd-mlworkflows.yaml").read_text())
    assert kept == "keep"


def test_it_can_go_with_the_release_or_be_left_to_others(render):
    assert rendered(render({"crds": {"keep": False}}))[1] is None
    assert not render({"crds": {"install": False}}).of_kind("CustomResourceDefinition")

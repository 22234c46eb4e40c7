"""The page for a team: nothing unless it is wanted, and then with no right of its own."""

import pytest

PAGE = {"enabled": True, "url": "https://ml.example.com"}


def named(manifests, kind):
    return [each for each in manifests if each["kind"] == kind and each["metadata"]["name"].endswith("-ui")]


def test_there_is_no_page_unless_it_is_wanted(render):
    assert not [each for each in render() if each["metadata"]["name"].endswith("-ui")]


def test_the_page_has_no_rights(render):
    manifests = render({"ui": PAGE})
    (account,) = named(manifests, "ServiceAccount")
    name = account["metadata"]["name"]
    bound = [each for each in manifests if each["kind"] in ("RoleBinding", "ClusterRoleBinding")]
    assert all(subject["name"] != name for each in bound for subject in each["subjects"])
    (deployment,) = named(manifests, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == name
    assert not any("projected" in volume or "secret" in volume for volume in pod["volumes"])


def test_an_ingress_leads_to_the_page(render):
    manifests = render({"ui": {**PAGE, "ingress": {"enabled": True, "host": "ml.example.com", "className": "nginx"}}})
    (ingress,) = named(manifests, "Ingress")
    (service,) = named(manifests, "Service")
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert (backend["name"], backend["port"]["name"]) == (
        service["metadata"]["name"],
        service["spec"]["ports"][0]["name"],
    )


@pytest.mark.parametrize(
    ("ui", "words"),
    [
        ({"oidc": {"issuer": "https://id.example.com"}}, "ui.oidc.clientId"),
        ({"url": "", "oidc": {"issuer": "https://id.example.com", "clientId": "page"}}, "ui.url"),
        ({"tokens": False}, "nobody could sign in"),
        ({"ingress": {"enabled": True}}, "ui.ingress.host"),
        ({"oidc": {"scopes": ["profile"]}}, "scopes"),
    ],
)
def test_a_page_that_nobody_could_use_is_refused(render, refused, ui, words):
    with pytest.raises(refused, match=words):
        render({"ui": {**PAGE, **ui}})

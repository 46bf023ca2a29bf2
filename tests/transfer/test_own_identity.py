"""The server's own identity is for the buckets alone that the operator lists."""

from __future__ import annotations

import pytest

from varloom.errors import VarloomError
from varloom.transfer.own_identity import own_credential
from varloom.transfer.source_url import parse_source_url

SECRET = "secret-of-the-server"


@pytest.fixture
def environment(tmp_path):
    key = tmp_path / "key.json"
    key.write_text(SECRET)
    return {
        "AWS_ACCESS_KEY_ID": "A",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "GOOGLE_APPLICATION_CREDENTIALS": str(key),
        "AZURE_STORAGE_ACCOUNT_NAME": "acc",
        "AZURE_STORAGE_ACCOUNT_KEY": SECRET,
    }


AZURE = "https://acc.blob.core.windows.net/cont/x"


@pytest.mark.parametrize(
    ("scopes", "url", "kind"),
    [
        ((), "s3://bucket/x", None),
        (("s3://bucket",), "s3://bucket/x", "s3"),
        (("s3://bucket",), "https://bucket.s3.amazonaws.com/x", "s3"),
        (("s3://bucket",), "https://bucket.s3.amazonaws.com/x?X-Amz-Signature=1", None),
        (("s3://bucket",), "s3://other/x", None),
        (("s3://bucket",), "gs://bucket/x", None),
        (("gs://bucket",), "gs://bucket/x", "gcs"),
        (("az://acc/cont",), AZURE, "azure_key"),
        (("az://acc",), AZURE, "azure_key"),
        (("az://acc/other",), AZURE, None),
        (("az://acc2",), AZURE.replace("acc.", "acc2."), None),
        (("s3://bucket",), "https://example.org/bucket/x", None),
    ],
)
def test_it_is_used_where_it_is_allowed(environment, scopes, url, kind):
    found = own_credential(scopes, parse_source_url(url), environment)
    assert (found and found.kind) == kind
    assert SECRET not in repr(found)


def test_where_the_server_has_none_requests_are_anonymous():
    assert own_credential(("s3://bucket",), parse_source_url("s3://bucket/x"), {}) is None


@pytest.mark.parametrize("scope", ["bucket", "https://example.org", "s3://bucket/key", "az://"])
def test_what_cannot_be_a_scope_is_refused(scope):
    with pytest.raises(VarloomError, match="own_identity"):
        own_credential((scope,), parse_source_url("s3://bucket/x"), {})

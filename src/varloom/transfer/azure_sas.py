"""Shared access signatures of Azure, for one blob.

obstore signs the encoded name of a blob where Azure wants it decoded, so that no blob with a blank in its name could be
read; and Microsoft's own client brings a dozen packages for these lines.
Source: "Create a service SAS", Microsoft Learn, string-to-sign of version 2020-12-06 and later.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

VERSION = "2021-12-02"
CLOCKS_APART = timedelta(minutes=5)
"""So much may the clock of Azure be behind ours."""


def blob_sas(account: str, key: str, container: str, blob: str, valid_for: timedelta) -> str:
    """The query that lets its bearer read the blob from now on.

    Args:
        account: the storage account.
        key: its key, in base64.
        container: where the blob is.
        blob: its name, as it is.
        valid_for: how long the query holds.

    Raises:
        ValueError: the key is not base64.
    """
    now = datetime.now(UTC)
    start, end = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (now - CLOCKS_APART, now + valid_for))
    resource = f"/blob/{account}/{container}/{blob}"
    identifier = address = protocol = snapshot = scope = ""
    to_sign = ["r", start, end, resource, identifier, address, protocol, VERSION, "b", snapshot, scope, *[""] * 5]
    digest = hmac.new(base64.b64decode(key, validate=True), "\n".join(to_sign).encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    return urlencode({"sv": VERSION, "sr": "b", "sp": "r", "st": start, "se": end, "sig": signature})

"""What gives access to something does not stand in the log, whoever put it into a message."""

from __future__ import annotations

import logging

import pytest

from varloom.cli.server_settings import OneLine
from varloom.jobs.attempt_log import redacted
from varloom.log_lines import JsonLines

CANARY = "kanarienvogel"
MESSAGES = [
    f"Authorization: Bearer vl_{CANARY}",
    f"Cookie: varloom_session={CANARY}",
    f"https://bucket.s3.amazonaws.com/a.vcf?X-Amz-Signature={CANARY}",
    f"https://account.blob.core.windows.net/c/a.vcf?sv=1&sig={CANARY}",
    f"https://storage.googleapis.com/b/a.vcf?X-Goog-Signature={CANARY}",
    f"postgresql://varloom:{CANARY}@db/varloom",
    f"https://user:{CANARY}@host/file",
    f"password={CANARY}",
    f"signed with whsec_{CANARY}/+==",
    f'{{"secret_key": "{CANARY}"}}',
    f"GET /api/v1/tokens/vl_{CANARY}",
    f"/jobs,varloom_session={CANARY};a=b",
    f"Location: /login#{CANARY}",
    f"answered eyJhbGciOiJI.eyJzdWIi{CANARY}.{CANARY}",
]


@pytest.mark.parametrize("formatter", [OneLine("%(levelname)s %(message)s"), JsonLines(redacted)])
@pytest.mark.parametrize("message", MESSAGES)
def test_no_secret_stands_in_the_log(formatter: logging.Formatter, message: str) -> None:
    """Of the message, of what was raised, and of the fields of a line of JSON, such as the path of a request."""
    failure = (ValueError, ValueError(message), None)
    record = logging.LogRecord("varloom", logging.WARNING, __file__, 1, "it failed: %s", (message,), failure)
    record.fields = {"path": message, "status": 404}
    line = formatter.format(record)
    assert CANARY not in line
    assert "it failed" in line
    assert "ValueError" in line

"""What only the worker that fetches a file learns: its whole URL and the credential that was chosen for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

import psycopg

from varloom.errors import VarloomError
from varloom.pipeline.problems import SOURCE_URL_GONE

if TYPE_CHECKING:
    from varloom.jobs.model import Job
    from varloom.transfer.vault import Vault

_URL: LiteralString = """
SELECT uploads.url, upload_secrets.secret FROM uploads
LEFT JOIN upload_secrets ON upload_secrets.upload_id = uploads.id
WHERE uploads.id = %s AND uploads.account_id = %s
"""

CONNECT_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class SourceSecrets:
    """Reads what the database keeps encrypted. It blocks.

    Attributes:
        conninfo: of the database.
        vault: decrypts it.
    """

    conninfo: str
    vault: Vault

    def url_of(self, job: Job) -> str:
        """The URL of a job's source, whole.

        Raises:
            VarloomError: `source_url_gone`, or `source_secret_unreadable`.
        """
        with psycopg.connect(self.conninfo, connect_timeout=CONNECT_TIMEOUT) as conn:
            row = conn.execute(_URL, [job.upload_id, job.account_id]).fetchone()
        if row is None or row[0] is None:
            raise VarloomError(SOURCE_URL_GONE, "The URL of this job is no longer known.")
        return str(row[0] if row[1] is None else self.vault.decrypt(row[1])["url"])

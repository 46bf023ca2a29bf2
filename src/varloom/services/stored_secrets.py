"""Every secret that the database keeps, encrypted; and how the key that encrypts them is changed.

A rotation is three steps, each of which leaves all secrets readable wherever it is cut off: all secrets are encrypted
with the newest key there is, so that older ones can go; a new key is written before it; all secrets are encrypted with
that. The key before stays in the file until the next rotation, for a process that has read the file a moment ago.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

import psycopg

from varloom.db.database import open_database, require_database
from varloom.errors import SETTINGS_INVALID, VarloomError, counted
from varloom.failpoints import failpoint
from varloom.services.sources import vault_of
from varloom.transfer.problems import SOURCE_SECRET_UNREADABLE

if TYPE_CHECKING:
    from varloom.settings import Settings
    from varloom.transfer.vault import Vault

logger = logging.getLogger(__name__)

STORED: LiteralString = """
SELECT 'credentials', id, secret FROM credentials
UNION ALL SELECT 'upload_secrets', upload_id, secret FROM upload_secrets
UNION ALL SELECT 'notice_channels', id, secret FROM notice_channels WHERE secret IS NOT NULL
"""
_RENEW: dict[str, LiteralString] = {
    "credentials": "UPDATE credentials SET secret = %s WHERE id = %s AND secret = %s",
    "upload_secrets": "UPDATE upload_secrets SET secret = %s WHERE upload_id = %s AND secret = %s",
    "notice_channels": "UPDATE notice_channels SET secret = %s WHERE id = %s AND secret = %s",
}


@dataclass(frozen=True, slots=True)
class Renewal:
    """How many secrets are encrypted with the newest key now, and how many no key here can read."""

    renewed: int
    unreadable: int


def renew_secrets(conninfo: str, vault: Vault) -> Renewal:
    """Encrypt every secret with the newest key; one that cannot be read stays as it is, and is told in the log."""
    renewed = unreadable = 0
    with psycopg.connect(conninfo, autocommit=True, application_name="varloom secrets") as conn:
        for table, identity, secret in conn.execute(STORED).fetchall():
            try:
                new = vault.renewed(secret)
            except VarloomError as error:
                logger.warning("A secret of %s stays as it is: %s", table, error.message)
                unreadable += 1
                continue
            conn.execute(_RENEW[table], [new, identity, secret])  # unless it was changed meanwhile, with the newest key
            renewed += 1
            failpoint("secrets.renewed")
    return Renewal(renewed, unreadable)


def rotate_key(settings: Settings) -> Renewal:
    """Make a new key in the data folder, and encrypt every secret with it, while the server runs or not.

    Raises:
        VarloomError: `settings_invalid` where the keys are in the setting `secret_keys`, `data_folder_missing` or like
            ones; `source_secret_unreadable` for a secret that no key reads: nothing is changed then.
    """
    if settings.secret_keys:
        raise VarloomError(
            SETTINGS_INVALID,
            "secret_keys: the keys are in this setting, which no command changes.",
            resolution=(
                "Put a new key before the old one in `secret_keys` of server and workers, and start them anew.",
                "The server encrypts everything with the new key when it starts; take the old key out after that.",
            ),
        )
    require_database(settings)
    vault = vault_of(settings)
    with open_database(settings) as database:
        before = renew_secrets(database.conninfo, vault)
        if before.unreadable:
            lost = counted(before.unreadable, "secret")
            raise VarloomError(SOURCE_SECRET_UNREADABLE, f"{lost} cannot be read by any key that is here.")
        vault.add_key()
        failpoint("secrets.key_added")
        return renew_secrets(database.conninfo, vault)

"""What sends notices, made of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.services.notices.mail import MailServer
from varloom.services.notices.outbox import Outbox
from varloom.services.notices.sender import Sender
from varloom.services.notices.webhook import Caller
from varloom.services.sources import transfer_options
from varloom.transfer.guard import Guard, parse_endpoint

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

    from varloom.settings import Settings
    from varloom.transfer.vault import Vault


def open_sender(pool: AsyncConnectionPool, settings: Settings, vault: Vault) -> Sender:
    """What sends notices; it does nothing until it is run.

    Raises:
        VarloomError: `settings_invalid`.
    """
    options = transfer_options(settings)
    guard = Guard(tuple(parse_endpoint(entry) for entry in options.allowed_endpoints))
    return Sender(
        pool=pool,
        settings=settings,
        vault=vault,
        outbox=Outbox(pool, settings.notice_hours),
        mail=MailServer(settings),
        caller=Caller(guard, settings.egress_proxy),
    )

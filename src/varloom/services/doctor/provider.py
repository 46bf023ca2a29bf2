"""The OpenID Connect provider, as a login would find it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from varloom.services.doctor.finding import ok
from varloom.services.openid_provider import OpenIdProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.services.doctor.finding import Finding
    from varloom.settings import Settings


def provider(settings: Settings) -> Iterator[Finding]:
    """Whether the provider answers, calls itself as in the settings, and has keys; nothing where none is set."""
    if settings.oidc_issuer is None:
        return
    asyncio.run(OpenIdProvider(settings).look())
    yield ok("openid", "The OpenID Connect provider answers.", settings.oidc_issuer)

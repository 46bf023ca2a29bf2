"""What only owners of the server may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.problems import OWNER_ONLY

if TYPE_CHECKING:
    from varloom.services.accounts import Account


def require_owner(account: Account) -> None:
    """See that an account is an owner.

    Raises:
        VarloomError: `owner_only`.
    """
    if account.role != "owner":
        raise VarloomError(OWNER_ONLY, f"The account {safe_excerpt(account.name, 60)} is not an owner.")

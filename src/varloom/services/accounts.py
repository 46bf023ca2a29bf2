"""Accounts, and the ways to prove being one: login links, browser sessions and API tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Account:
    """Who owns things. `role` is "owner" or "member"."""

    id: UUID
    name: str
    role: str

"""What each route asks of an API token. One that is not named here and changes something asks for the full scope."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.errors import VarloomError
from varloom.services.account_problems import TOKEN_SCOPE_INSUFFICIENT

if TYPE_CHECKING:
    from varloom.services.accounts import Scope
    from varloom.web.dependencies import Identity

RANK: dict[Scope, int] = {"read": 0, "submit": 1, "full": 2}

_API = "/api/v1"
_ONE = "[^/]+"

LOOKS = (
    f"POST {_API}/annotate",
    f"POST {_API}/(sources|manifests|uploads)/preflight",
)
"""Routes that change nothing although their method could: what they are asked is too long for an address."""
SUBMITS = (
    f"POST {_API}/jobs",
    f"POST {_API}/jobs/actions",
    f"POST {_API}/jobs/{_ONE}/(retry|cancel|priority)",
    f"DELETE {_API}/jobs/{_ONE}",
    f"POST {_API}/manifests",
    f"POST {_API}/uploads",
    f"(HEAD|POST|PATCH|DELETE) {_API}/uploads/{_ONE}",
    f"POST {_API}/uploads/{_ONE}/options",
    f"POST {_API}/samples/{_ONE}/annotate",
)
"""Routes that load files, and act on jobs."""
OUTLASTS = (
    f"POST {_API}/tokens",
    f"POST {_API}/login-links",
    f"POST ({_API})?/users",
    f"POST ({_API})?/users/{_ONE}/login-links?",
    f"(PUT|POST) ({_API})?/account/password",
    "POST /account/tokens",
    "POST /account/identities",
    f"(PUT|POST) ({_API}|/account)/notices/(email|webhooks)",
    f"POST ({_API}|/account)/notices/{_ONE}/secret",
)
"""Routes that make a way in, or one by which news goes out: who came with a token that expires has to leave with it."""

_LOOKS, _SUBMITS, _OUTLASTS = (re.compile("|".join(routes)) for routes in (LOOKS, SUBMITS, OUTLASTS))


def scope_of(method: str, path: str) -> Scope:
    """The least scope with which a request is let through."""
    asked = f"{method} {path}"
    if _LOOKS.fullmatch(asked):
        return "read"
    if _SUBMITS.fullmatch(asked):
        return "submit"
    return "read" if method in {"GET", "HEAD", "OPTIONS"} else "full"


def require_scope(identity: Identity, method: str, path: str) -> None:
    """See that what was shown as proof is enough for a request.

    Raises:
        VarloomError: `token_scope_insufficient`, which names the scope that is needed.
    """
    if identity.via != "token":
        return
    needed = scope_of(method, path)
    if RANK[identity.scope] < RANK[needed]:
        message = f"This needs a token with the scope {needed}; this one has the scope {identity.scope}."
        raise VarloomError(TOKEN_SCOPE_INSUFFICIENT, message)
    if identity.expires_at is not None and _OUTLASTS.fullmatch(f"{method} {path}"):
        raise VarloomError(TOKEN_SCOPE_INSUFFICIENT, "A token that expires cannot make what would outlast it.")

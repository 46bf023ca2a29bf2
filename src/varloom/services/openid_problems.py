"""What can go wrong when somebody logs in by an OpenID Connect provider."""

from __future__ import annotations

from varloom.errors import define

_AGAIN = "Begin the login again on the page `/login`."
_OTHERWISE = "Log in by password or login link meanwhile: they need no provider."

OPENID_NOT_SET = define(
    "openid_not_set",
    "No provider is set",
    cause="This server has no OpenID Connect provider to log in by.",
    resolution=("Log in by password or login link.", "Owners set one: docs/how-to/single-sign-on.md."),
    status=404,
)
OPENID_UNREACHABLE = define(
    "openid_unreachable",
    "The provider does not answer",
    cause="The OpenID Connect provider could not be reached, or answered with something else than was asked for.",
    resolution=(
        _OTHERWISE,
        "Try again in a while.",
        "An owner of this server: check `oidc_issuer`, and that this machine reaches the provider; the log has more.",
    ),
    status=502,
    retryable=True,
)
OPENID_REFUSED = define(
    "openid_refused",
    "The provider did not let you in",
    cause="The OpenID Connect provider ended the login: it was cancelled there, or it does not know this server.",
    resolution=(_AGAIN, "If it says so again, show the message to an owner of this server."),
    status=401,
)
OPENID_LOGIN_INVALID = define(
    "openid_login_invalid",
    "This login cannot be finished",
    cause="A login by the provider is finished once, within ten minutes, in the browser that began it.",
    resolution=(_AGAIN, "Do not keep the address that the provider leads to as a bookmark."),
    status=400,
)
OPENID_TOKEN_INVALID = define(
    "openid_token_invalid",
    "What the provider says cannot be trusted",
    cause="The provider's token of who it is failed a check: its signature, who made it, for whom, when, and why.",
    resolution=(
        _AGAIN,
        "An owner of this server: check `oidc_issuer` and `oidc_client_id`, and the clocks of both machines.",
    ),
    status=401,
)
OPENID_NOT_ALLOWED = define(
    "openid_not_allowed",
    "Not everybody whom the provider knows is let in",
    cause="The provider knows who it is, and this server lets in only those with a verified e-mail address of certain "
    "domains, or of whom the provider tells a certain thing (`oidc_allowed_domains`, `oidc_required_claim`).",
    resolution=("Ask an owner of this server.",),
    status=403,
)
OPENID_ACCOUNT_UNKNOWN = define(
    "openid_account_unknown",
    "No account is connected with it",
    cause="The provider knows who it is, and no account of this server is connected with that.",
    resolution=(
        "With an account here: log in by password or login link, and press *Connect* under *Your account*.",
        "Without one: ask an owner of this server, `varloom users add NAME`.",
    ),
    status=403,
)
OPENID_ACCOUNT_AMBIGUOUS = define(
    "openid_account_ambiguous",
    "Several accounts have this e-mail address",
    cause="The setting `oidc_match_email` connects with the one account that has the address; several have it.",
    resolution=(
        "Log in by password or login link, and press *Connect* under *Your account*.",
        "An owner of this server: let one account alone have the address.",
    ),
    status=409,
)
IDENTITY_TAKEN = define(
    "identity_taken",
    "Connected with another account",
    cause="Who the provider says it is, is connected with another account of this server.",
    resolution=(
        "Log in by the provider to get into that account.",
        "To move it: disconnect it there under *Your account*, then connect it here.",
    ),
    status=409,
)
IDENTITY_NOT_FOUND = define(
    "identity_not_found",
    "No such connection",
    cause="The account is not connected with this identity, or it was disconnected already.",
    resolution=("Look at the list under *Your account*.",),
    status=404,
)

"""What can go wrong when somebody wants to come in."""

from __future__ import annotations

from varloom.errors import define

NOT_AUTHENTICATED = define(
    "not_authenticated",
    "Not logged in",
    cause="The request carries no session cookie and no API token, or one that is unknown, expired or revoked.",
    resolution=(
        "In the browser: open a login link; `varloom login` on the server prints one.",
        "On the command line: check --token or VARLOOM_TOKEN; without them the token of the data folder is taken.",
        "In a program: send the header `Authorization: Bearer TOKEN` with a valid API token.",
    ),
    status=401,
)
LOGIN_LINK_INVALID = define(
    "login_link_invalid",
    "The login link cannot be used",
    cause="A login link works once, and for a limited time. This one was used, has expired, or was never made here.",
    resolution=("Use a new login link: `varloom login` on the server prints one.",),
    status=401,
)
TOKEN_NOT_FOUND = define(
    "token_not_found",
    "No such API token",
    cause="The account has no API token with this id, or it was revoked already.",
    resolution=("Look at the list of the account's API tokens.",),
    status=404,
)
TOKEN_LABEL_INVALID = define(
    "token_label_invalid",
    "Invalid label of an API token",
    cause="The label of an API token must have between 1 and 100 characters and no control characters.",
    resolution=("Choose another label, such as the name of the program that will use the token.",),
    status=422,
)

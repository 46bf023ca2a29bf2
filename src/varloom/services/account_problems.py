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
PROXY_USER_INVALID = define(
    "proxy_user_invalid",
    "The reverse proxy does not say who it is",
    cause="The header of the setting `proxy_user_header` came more than once, or holds something that is no name: 1 to "
    "200 printable characters of UTF-8, without a comma.",
    resolution=(
        "An owner of this server: let the proxy replace the header that it was sent, and send one name in it.",
        "docs/how-to/single-sign-on.md has the lines for nginx.",
    ),
    status=400,
)
PROXY_USER_UNKNOWN = define(
    "proxy_user_unknown",
    "No account for you yet",
    cause="The reverse proxy says who is logged in, and this server has no account of that name.",
    resolution=(
        "Ask an owner of this server for an account with this name: `varloom users add NAME`.",
        "Owners can have accounts made by themselves, with the setting `proxy_user_create`.",
    ),
    status=403,
)
ACCOUNT_DEACTIVATED = define(
    "account_deactivated",
    "The account is deactivated",
    cause="Whoever it is was recognised, but an owner of this server has shut the account out.",
    resolution=("Ask an owner of this server, who can activate it again: `varloom users activate NAME`.",),
    status=403,
)
TOKEN_NOT_FOUND = define(
    "token_not_found",
    "No such API token",
    cause="The account has no API token with this id, or it was revoked already.",
    resolution=("Look at the list of the account's API tokens.",),
    status=404,
)
TOKENS_TOO_MANY = define(
    "tokens_too_many",
    "Too many API tokens",
    cause="The account has as many API tokens as one account may have at a time.",
    resolution=(
        "Revoke those that are not used any more, under *Your account* or with `varloom tokens revoke`.",
        "Give programs that make tokens by themselves an end to each: `--expires 30d`.",
    ),
    status=409,
)
TOKEN_LABEL_INVALID = define(
    "token_label_invalid",
    "Invalid label of an API token",
    cause="The label of an API token must have between 1 and 100 characters and no control characters.",
    resolution=("Choose another label, such as the name of the program that will use the token.",),
    status=422,
)
LOGIN_REFUSED = define(
    "login_refused",
    "Name or password is wrong",
    cause="No account that can be used has this name and this password. Which of them is wrong is not said.",
    resolution=(
        "Check the name, the keyboard and the capitals, then try again.",
        "A forgotten password is replaced with a login link, which an owner makes: `varloom users login-link NAME`.",
    ),
    status=401,
)
LOGINS_LIMITED = define(
    "logins_limited",
    "Too many failed logins",
    cause="From this address too many logins failed of late. Others who log in from elsewhere are not held up.",
    resolution=(
        "Wait as long as the answer says, then try again.",
        "A login link is not held up: an owner of this server makes one with `varloom users login-link NAME`.",
    ),
    status=429,
    retryable=True,
)
PASSWORD_UNFIT = define(
    "password_unfit",
    "This password cannot be used",
    cause="A password has 10 to 1,024 characters. The account's name and what anybody would try first are none.",
    resolution=("Choose another, such as four words that have nothing to do with each other.",),
    status=422,
)
PASSWORD_WRONG = define(
    "password_wrong",
    "The present password is wrong",
    cause="Who changes a password gives the present one, so that nobody changes it at a screen that was left alone.",
    resolution=(
        "Give the present password.",
        "If it is forgotten: log in with a login link; for the next 15 minutes a new password needs no present one.",
    ),
    status=403,
)
SESSION_NOT_FOUND = define(
    "session_not_found",
    "No such session",
    cause="The account has no session with this id, or it has ended already.",
    resolution=("Look at the list of the account's sessions.",),
    status=404,
)
USER_NOT_FOUND = define(
    "user_not_found",
    "No such account",
    cause="This server has no account with this id or name.",
    resolution=("`varloom users list` and the page Users show those that there are.",),
    status=404,
)
USER_INVALID = define(
    "user_invalid",
    "The account cannot be named so",
    cause="A name has 1 to 200 printable characters and no space at its ends; an e-mail address has an @.",
    resolution=("Give another name or address.",),
    status=422,
)
QUOTA_INVALID = define(
    "quota_invalid",
    "The quota is no amount",
    cause="A quota is an amount of bytes above 0 with or without a unit, or `none`, or `default`.",
    resolution=("Write it as `500 GB`, `1.5TB` or `2 TiB`; `none` for no limit; `default` for the server's setting.",),
    status=422,
)
USER_NAME_TAKEN = define(
    "user_name_taken",
    "The name is taken",
    cause="Another account, perhaps one that was deactivated, has this name. Capitals make no difference.",
    resolution=("Choose another name.", "A deactivated account is activated again by `varloom users activate NAME`."),
    status=409,
)
LAST_OWNER = define(
    "last_owner",
    "The last owner stays",
    cause="Without an active owner nobody could manage this server.",
    resolution=("Make another account an owner first: `varloom users role NAME owner`.",),
    status=409,
)
TOKEN_EXPIRY_INVALID = define(
    "token_expiry_invalid",
    "Invalid end of an API token",
    cause="A token can expire at a time that is still to come.",
    resolution=("Give a later time, such as `--expires 90d` or `--expires 2027-12-31`, or none.",),
    status=422,
)
TOKEN_SCOPE_INSUFFICIENT = define(
    "token_scope_insufficient",
    "The API token may not do this",
    cause="A token has a scope: `read` looks, `submit` also loads files and acts on jobs, `full` does all that the "
    "account may. Only a token that never expires can make a way in, or a place for notices, that outlasts it.",
    resolution=(
        "Use a token with the scope that the message names: `varloom tokens create LABEL --scope SCOPE`.",
        "Or do it in the browser.",
    ),
    status=403,
)

"""What can go wrong with notices."""

from __future__ import annotations

from varloom.errors import define

NOTICE_INVALID = define(
    "notice_invalid",
    "Notices cannot be sent like this",
    cause="An address, URL, name or choice for notices is missing or cannot be used.",
    resolution=(
        "E-mail: give one address such as ann@example.org.",
        "Webhook: give a name and a URL that begins with https://, without user and password.",
        "Choose completed jobs, failed jobs, or both.",
    ),
    status=422,
)
NOTICE_CHANNEL_NOT_FOUND = define(
    "notice_channel_not_found",
    "No such webhook or address",
    cause="The account has no address or webhook for notices with this id, or it was removed.",
    resolution=("Look at the page Notices, or at `GET /api/v1/notices`.",),
    status=404,
)
NOTICE_DELIVERY_NOT_FOUND = define(
    "notice_delivery_not_found",
    "No such notice",
    cause="Nothing with this id was sent there, or it was forgotten after the setting `keep_notices_days`.",
    resolution=("Look at the list of what was sent.",),
    status=404,
)
NOTICE_DELIVERY_WAITS = define(
    "notice_delivery_waits",
    "The notice waits to be sent",
    cause="Only what was sent or given up is sent again.",
    resolution=("Wait: it is tried again by itself.",),
    status=409,
)
NOTICE_CONFIRMATION_INVALID = define(
    "notice_confirmation_invalid",
    "The address cannot be confirmed by this link",
    cause="Such a link works once, for a day, and for the account that asked for it. This one was used, has expired, "
    "was replaced by a newer one, or belongs to another account.",
    resolution=(
        "Log in as the account that asked for it, and open the link again.",
        "Or save the address once more on the page Notices, and use the link of the new mail.",
    ),
    status=422,
)
NOTICE_NOT_CONFIRMED = define(
    "notice_not_confirmed",
    "The address is not confirmed",
    cause="Nothing but the link that confirms it is sent to an address before that link was used.",
    resolution=("Open the link in the mail that came when the address was saved.",),
    status=409,
)
NOTICES_LIMITED = define(
    "notices_limited",
    "Too many at once",
    cause="Mails that confirm an address, and tests, are few, so that nobody is molested by them.",
    resolution=("Wait as long as the answer says, then try again.",),
    status=429,
    retryable=True,
)
MAIL_NOT_SET_UP = define(
    "mail_not_set_up",
    "This server sends no e-mail",
    cause="The setting `smtp_host` names no mail server.",
    resolution=(
        "Ask whoever runs this server to set `smtp_host`, `mail_from` and `public_url`; see docs/how-to/notices.md.",
        "Or use a webhook.",
    ),
    status=409,
)
MAIL_NOT_SENT = define(
    "mail_not_sent",
    "The mail could not be sent",
    cause="The mail server of this installation cannot be reached, or refused the mail. Its log says more.",
    resolution=(
        "Check the address.",
        "If it is right, tell whoever runs this server; `varloom serve` logs what the mail server said.",
    ),
    status=503,
    retryable=True,
)

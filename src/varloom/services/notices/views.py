"""The JSON shapes of notices."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from varloom.services.views import UtcTime, View

ChannelKind = Literal["email", "webhook"]
DeliveryState = Literal["waiting", "sent", "given_up"]


class NoticeChannelView(View):
    """Where notices go."""

    id: UUID
    kind: ChannelKind
    name: str
    target: str = Field(description="the e-mail address; of a webhook its origin: the rest of a URL may be secret")
    completed: bool = Field(description="whether completed jobs are told of")
    failed: bool = Field(description="whether failed jobs are told of")
    created_at: UtcTime
    changed_at: UtcTime
    confirmed: bool = Field(description="whether the address was confirmed; a webhook needs no confirmation")
    disabled_at: UtcTime | None = Field(description="since when nothing is sent; null: it is in use")
    disabled_because: str | None
    failing_since: UtcTime | None = Field(description="since when every attempt has failed; null: the last did not")


class NoticeSettingsView(View):
    """Where the account's notices go, and what the server allows."""

    mail_available: bool = Field(description="whether this server sends e-mail")
    names_told: bool = Field(description="whether notices tell sample names (setting `notice_names`)")
    channels: list[NoticeChannelView]


class WebhookSecretView(View):
    """A webhook with its new secret, which is shown this once."""

    channel: NoticeChannelView
    secret: str = Field(description="`whsec_` and the key in base64, as Standard Webhooks has it")


class NoticeDeliveryView(View):
    """A mail or a call that was sent, or is to be."""

    id: UUID = Field(description="`webhook-id` of the call; a part of the mail's Message-ID")
    state: DeliveryState
    is_test: bool
    jobs: int = Field(description="how many jobs it tells of")
    created_at: UtcTime
    attempts: int
    due_at: UtcTime | None = Field(description="when it is tried next; null when it has ended")
    ended_at: UtcTime | None
    status: int | None = Field(description="of the last answer, HTTP or SMTP; null: there was none")
    problem: str | None = Field(description="why the last attempt failed")


class NoticeDeliveryList(View):
    """The newest first."""

    deliveries: list[NoticeDeliveryView]

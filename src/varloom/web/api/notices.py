"""Where the account is told of jobs that have ended: an e-mail address and webhooks."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from varloom.services.notices.views import (
    NoticeChannelView,
    NoticeDeliveryList,
    NoticeDeliveryView,
    NoticeSettingsView,
    WebhookSecretView,
)
from varloom.services.paging import PAGE_LIMIT
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["notices"])


class _Choice(BaseModel):
    model_config = ConfigDict(extra="forbid")

    completed: bool = Field(default=True, description="tell of completed jobs")
    failed: bool = Field(default=True, description="tell of failed jobs")


class NoticeEmail(_Choice):
    """Where mails go."""

    address: Annotated[str, Field(max_length=400)]


class NewWebhook(_Choice):
    """A webhook to add."""

    name: Annotated[str, Field(max_length=400)]
    url: Annotated[SecretStr, Field(max_length=4096, description="it may hold secrets: only its origin is shown again")]


class NoticeConfirmation(BaseModel):
    """The proof that an address belongs to the account."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[SecretStr, Field(max_length=200, description="of the link in the mail")]


class NoticeChange(BaseModel):
    """What becomes of an address or webhook; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    completed: bool | None = None
    failed: bool | None = None
    enabled: bool | None = Field(default=None, description="false stops it; true lets a disabled one go on")


@router.get("/notices")
async def get_notices(services: CurrentServices, account: CurrentAccount) -> NoticeSettingsView:
    """The account's address and webhooks."""
    return await services.notices.all(account.id)


@router.put("/notices/email", responses=problem_responses(409, 429, 503))
async def set_notice_email(
    services: CurrentServices, account: CurrentAccount, wanted: NoticeEmail
) -> NoticeChannelView:
    """Save the address for notices. A new one is sent a link first, which confirms it."""
    return await services.notices.set_email(
        account.id, wanted.address, completed=wanted.completed, failed=wanted.failed
    )


@router.post("/notices/email/confirm")
async def confirm_notice_email(
    services: CurrentServices, account: CurrentAccount, proof: NoticeConfirmation
) -> NoticeChannelView:
    """Confirm the address by the token of its link."""
    return await services.notices.confirm(account.id, proof.token.get_secret_value())


@router.post("/notices/webhooks", status_code=201)
async def add_webhook(services: CurrentServices, account: CurrentAccount, new: NewWebhook) -> WebhookSecretView:
    """Add a webhook; its secret is told this once."""
    return await services.notices.add_webhook(
        account.id, new.name, new.url.get_secret_value(), completed=new.completed, failed=new.failed
    )


@router.patch("/notices/{channel_id}", responses=problem_responses(404))
async def change_notices(
    services: CurrentServices, account: CurrentAccount, channel_id: UUID, change: NoticeChange
) -> NoticeChannelView:
    """Choose what is told, stop it, or let it go on."""
    return await services.notices.change(
        account.id, channel_id, completed=change.completed, failed=change.failed, enabled=change.enabled
    )


@router.delete("/notices/{channel_id}", status_code=204, responses=problem_responses(404))
async def remove_notices(services: CurrentServices, account: CurrentAccount, channel_id: UUID) -> None:
    """Forget an address or webhook, with all that was or is to be sent there."""
    await services.notices.remove(account.id, channel_id)


@router.post("/notices/{channel_id}/secret", responses=problem_responses(404))
async def replace_webhook_secret(
    services: CurrentServices, account: CurrentAccount, channel_id: UUID
) -> WebhookSecretView:
    """Give a webhook a new secret, told this once. For a day calls are signed with the former one, too."""
    return await services.notices.replace_secret(account.id, channel_id)


@router.post("/notices/{channel_id}/test", responses=problem_responses(404, 409, 429))
async def test_notices(services: CurrentServices, account: CurrentAccount, channel_id: UUID) -> NoticeDeliveryView:
    """Send a test at once; how it went."""
    return await services.notices.test(account.id, channel_id)


@router.get("/notices/{channel_id}/deliveries", responses=problem_responses(404))
async def list_notice_deliveries(
    services: CurrentServices,
    account: CurrentAccount,
    channel_id: UUID,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 20,
) -> NoticeDeliveryList:
    """What was sent there, or is to be, newest first."""
    return await services.notices.deliveries(account.id, channel_id, limit)


@router.post(
    "/notices/{channel_id}/deliveries/{delivery_id}/again", status_code=202, responses=problem_responses(404, 409)
)
async def send_notice_again(
    services: CurrentServices, account: CurrentAccount, channel_id: UUID, delivery_id: UUID
) -> NoticeDeliveryView:
    """Send something once more that was sent or given up, under the same id."""
    return await services.notices.again(account.id, channel_id, delivery_id)

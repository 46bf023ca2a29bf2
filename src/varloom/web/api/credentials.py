"""Credentials for sources, which are never told again."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from varloom.services.views import AccessTestView, CredentialList, CredentialView
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["credentials"])


class NewCredential(BaseModel):
    """A credential to store."""

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: Literal["s3", "gcs", "azure_key", "azure_sas", "bearer"]
    scope: str = Field(description="where alone it is sent: `s3://BUCKET`, `az://ACCOUNT/CONTAINER`, `https://HOST`")
    values: dict[str, SecretStr] = Field(
        description="s3: access_key, secret_key, session_token?, region?; gcs: service_account (the JSON as a text); "
        "azure_key: key; azure_sas: sas; bearer: token"
    )
    replace: bool = Field(default=False, description="take the place of one of the same name")


class WantedAccess(BaseModel):
    """What to test a credential on."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(max_length=8192)]


@router.get("/credentials")
async def list_credentials(services: CurrentServices, account: CurrentAccount) -> CredentialList:
    """The account's credentials, by name, without their secrets."""
    return await services.credentials.all(account.id)


@router.post("/credentials", status_code=201, responses=problem_responses(409))
async def add_credential(services: CurrentServices, account: CurrentAccount, new: NewCredential) -> CredentialView:
    """Store a credential."""
    return await services.credentials.add(
        account.id,
        name=new.name,
        kind=new.kind,
        scope=new.scope,
        values={name: value.get_secret_value() for name, value in new.values.items()},
        replace_old=new.replace,
    )


@router.post("/credentials/{credential_id}/test", responses=problem_responses(400, 404))
async def test_credential(
    services: CurrentServices, account: CurrentAccount, credential_id: UUID, wanted: WantedAccess
) -> AccessTestView:
    """Ask for the first bytes of a file with a credential; nothing is loaded."""
    return await services.credentials.test(account.id, credential_id, wanted.url)


@router.delete("/credentials/{credential_id}", status_code=204, responses=problem_responses(404))
async def delete_credential(services: CurrentServices, account: CurrentAccount, credential_id: UUID) -> None:
    """Forget a credential. Jobs that wait with it will fail."""
    await services.credentials.delete(account.id, credential_id)

"""Credentials for files from URLs: what is stored, a form for a new one, and a test of each."""

from dataclasses import dataclass
from typing import Literal, cast, get_args
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from varloom.errors import VarloomError
from varloom.services.problems import REQUEST_INVALID
from varloom.services.views import AccessTestView, CredentialView
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.pages.finding import Finding, refusal_beside
from varloom.web.pages.formatting import moment, size
from varloom.web.pages.rendering import page, render
from varloom.web.security import look_again

Kind = Literal["s3", "gcs", "azure_key", "azure_sas", "bearer"]

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a kind that the form asks for. `secret` ones are typed unseen."""

    name: str
    label: str
    secret: bool = True
    required: bool = True
    lines: bool = False


@dataclass(frozen=True, slots=True)
class KindForm:
    """What the form asks for one kind."""

    label: str
    scope: str
    fields: tuple[Field, ...]


KINDS: dict[Kind, KindForm] = {
    "s3": KindForm(
        "S3 access key",
        "s3://BUCKET, or s3:// for all buckets",
        (
            Field("access_key", "Access key", secret=False),
            Field("secret_key", "Secret key"),
            Field("session_token", "Session token", required=False),
            Field("region", "Region", secret=False, required=False),
        ),
    ),
    "gcs": KindForm(
        "Google service account",
        "gs://BUCKET, or gs:// for all buckets",
        (Field("service_account", "JSON file of its key, as text", lines=True),),
    ),
    "azure_key": KindForm(
        "Azure account key", "az://ACCOUNT/CONTAINER, or az://ACCOUNT", (Field("key", "Account key"),)
    ),
    "azure_sas": KindForm("Azure SAS", "az://ACCOUNT/CONTAINER, or az://ACCOUNT", (Field("sas", "SAS, after the ?"),)),
    "bearer": KindForm("Bearer token", "https://HOST", (Field("token", "Token"),)),
}


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """A stored credential."""

    id: str
    name: str
    kind: str
    scope: str
    example: str
    changed_iso: str
    changed: str


@router.get("/credentials")
async def credentials_page(
    request: Request, services: CurrentServices, account: CurrentAccount, kind: str = "s3"
) -> HTMLResponse:
    """What is stored, and a form for one of the kind."""
    chosen = _kind(kind)
    found = await services.credentials.all(account.id)
    return await page(
        request,
        "credentials.html",
        section="credentials",
        credentials=[_row(one) for one in found.credentials],
        kinds=[(name, form.label) for name, form in KINDS.items()],
        kind=chosen,
        form=KINDS[chosen],
    )


@router.post("/credentials")
async def add_credential(
    request: Request, services: CurrentServices, account: CurrentAccount, kind: str
) -> HTMLResponse:
    """Store a credential; the page as it is then, or why nothing was stored, which is shown in the form."""
    chosen = _kind(kind)
    async with request.form(max_files=0, max_fields=20) as given:
        fields = {name: value for name, value in given.items() if isinstance(value, str)}
    await look_again(request)
    try:
        await services.credentials.add(
            account.id,
            name=fields.get("name", ""),
            kind=chosen,
            scope=fields.get("scope", ""),
            values={field.name: fields.get(field.name, "") for field in KINDS[chosen].fields},
            replace_old="replace" in fields,
        )
    except VarloomError as error:
        steps = error.resolution or error.kind.resolution
        return refusal_beside("#credential-refused", error.kind.title, error.message, steps)
    return await credentials_page(request, services, account, chosen)


@router.post("/credentials/{credential_id}/test")
async def test_credential(
    request: Request, services: CurrentServices, account: CurrentAccount, credential_id: UUID
) -> HTMLResponse:
    """Ask for the first bytes of a file; what was found, or why it was not asked for."""
    async with request.form(max_files=0, max_fields=5) as given:
        url = given.get("url")
    await look_again(request)
    try:
        found = _found(await services.credentials.test(account.id, credential_id, url if isinstance(url, str) else ""))
    except VarloomError as error:
        found = _refused(error)
    return HTMLResponse(render("finding.html", found=found))


@router.delete("/credentials/{credential_id}")
async def delete_credential(services: CurrentServices, account: CurrentAccount, credential_id: UUID) -> Response:
    """Forget a credential; the list takes its row away."""
    await services.credentials.delete(account.id, credential_id)
    return Response()


def _kind(name: str) -> Kind:
    if name not in get_args(Kind):
        raise VarloomError(REQUEST_INVALID, f"kind: expected one of {', '.join(get_args(Kind))}.")
    return cast("Kind", name)


def _row(found: CredentialView) -> CredentialRow:
    return CredentialRow(
        id=str(found.id),
        name=found.name,
        kind=KINDS[found.kind].label,
        scope=found.scope,
        example=found.scope.rstrip("/") + "/",
        changed_iso=found.changed_at.isoformat(),
        changed=moment(found.changed_at),
    )


def _found(tested: AccessTestView) -> Finding:
    if tested.error is None:
        told = "The file can be loaded." if tested.bytes is None else f"The file can be loaded: {size(tested.bytes)}."
        return Finding(ok=True, title="Access granted", text=told, steps=())
    error = tested.error
    return Finding(ok=False, title=error.title, text=error.message, steps=tuple(error.resolution))


def _refused(error: VarloomError) -> Finding:
    steps = error.resolution or error.kind.resolution
    return Finding(ok=False, title=error.kind.title, text=error.message, steps=steps)

"""Which requests leave an entry in the audit log, and the layer that writes it.

Every route that changes something is named here, or among those that leave none and say why; a test walks all routes.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING
from uuid import UUID

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from varloom.services.audit import Action, Asking, Subject, collect_details
from varloom.web.dependencies import client_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from varloom.services.audit import Audit
    from varloom.web.dependencies import Identity

logger = logging.getLogger(__name__)

SAME_AGAIN_SECONDS = 3600
"""Looking at one sample leaves one entry an hour: a table asks for its rows at every turn of the wheel."""
MOST_REMEMBERED = 10_000
QUERY_LIMIT = 1000


def _route(methods: str, path: str) -> re.Pattern[str]:
    """A route of the pages or the API; `{name}` is one segment of its path, and what the action is about."""
    path = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
    return re.compile(f"({methods}) (/api/v1)?{path}", re.DOTALL)


AUDITED: Mapping[re.Pattern[str], Action] = {
    _route("POST", "/login"): Action.ACCOUNT_LOGIN,
    _route("GET", "/login/openid/callback"): Action.ACCOUNT_LOGIN,
    _route("POST", "/logout"): Action.ACCOUNT_LOGOUT,
    _route("PUT|POST", "/account/password"): Action.ACCOUNT_PASSWORD_SET,
    _route("DELETE", "(/account)?/sessions/{session}"): Action.SESSION_ENDED,
    _route("DELETE", "/sessions"): Action.SESSION_OTHERS_ENDED,
    _route("POST", "/account/sessions/end-others"): Action.SESSION_OTHERS_ENDED,
    _route("POST", "(/account)?/tokens"): Action.TOKEN_MADE,
    _route("DELETE", "(/account)?/tokens/{token}"): Action.TOKEN_REVOKED,
    _route("POST", "/login-links"): Action.LOGIN_LINK_MADE,
    _route("POST", "/users"): Action.USER_ADDED,
    _route("PATCH|POST", "/users/{user}"): Action.USER_CHANGED,
    _route("POST", "/users/{user}/login-links?"): Action.LOGIN_LINK_MADE,
    _route("DELETE", "/account/identities/{identity}"): Action.IDENTITY_DISCONNECTED,
    _route("DELETE", "/users/{user}/identities"): Action.IDENTITY_DISCONNECTED,
    _route("POST", "/uploads"): Action.UPLOAD_BEGUN,
    _route("POST", "/uploads/{upload}/options"): Action.UPLOAD_CHANGED,
    _route("DELETE", "/uploads/{upload}"): Action.UPLOAD_CANCELLED,
    _route("POST", "/(jobs|manifests)"): Action.JOB_CREATED,
    _route("POST", "/jobs/{job}/retry"): Action.JOB_RETRIED,
    _route("POST", "/jobs/{job}/cancel"): Action.JOB_CANCELLED,
    _route("POST", "/jobs/{job}/priority"): Action.JOB_PRIORITISED,
    _route("POST", "/jobs/{job}/dismiss"): Action.JOB_DISMISSED,
    _route("DELETE", "/jobs/{job}"): Action.JOB_DISMISSED,
    _route("POST", "/jobs/actions"): Action.JOBS_CHANGED,
    _route("POST", "/queue/pause"): Action.QUEUE_PAUSED,
    _route("POST", "/queue/resume"): Action.QUEUE_RESUMED,
    _route("GET", "/samples/{sample}/export"): Action.SAMPLE_EXPORTED,
    _route("GET", "/samples/{sample}/files/.+"): Action.SAMPLE_FILE_SENT,
    _route("GET", "/samples/{sample}(/.+)?"): Action.SAMPLE_READ,
    _route("PATCH", "/samples/{sample}"): Action.SAMPLE_CHANGED,
    _route("POST", "/samples/{sample}/annotate"): Action.SAMPLE_ANNOTATED,
    _route("POST", "/samples/annotate"): Action.SAMPLE_ANNOTATED,
    _route("DELETE", "/samples/{sample}"): Action.SAMPLE_DELETED,
    _route("POST", "/samples/{sample}/restore"): Action.SAMPLE_RESTORED,
    _route("POST", "/samples/{sample}/purge"): Action.SAMPLE_PURGED,
    _route("POST", "/samples/{sample}/projects"): Action.PROJECT_SAMPLE_PUT,
    _route("POST", "/projects"): Action.PROJECT_MADE,
    _route("PATCH", "/projects/{project}"): Action.PROJECT_CHANGED,
    _route("POST", "/projects/{project}/name"): Action.PROJECT_CHANGED,
    _route("DELETE", "/projects/{project}"): Action.PROJECT_DELETED,
    _route("POST", "/projects/{project}/members"): Action.PROJECT_MEMBER_SET,
    _route("PUT", "/projects/{project}/members/.+"): Action.PROJECT_MEMBER_SET,
    _route("POST", "/projects/{project}/members/remove"): Action.PROJECT_MEMBER_REMOVED,
    _route("DELETE", "/projects/{project}/members/.+"): Action.PROJECT_MEMBER_REMOVED,
    _route("POST", "/projects/{project}/samples"): Action.PROJECT_SAMPLE_PUT,
    _route("PUT", "/projects/[^/]+/samples/{sample}"): Action.PROJECT_SAMPLE_PUT,
    _route("DELETE", "/projects/[^/]+/samples/{sample}"): Action.PROJECT_SAMPLE_TAKEN,
    _route("POST", "/views"): Action.VIEW_KEPT,
    _route("PATCH", "/views/{view}"): Action.VIEW_CHANGED,
    _route("DELETE", "/views/{view}"): Action.VIEW_REMOVED,
    _route("POST", "/credentials"): Action.CREDENTIAL_STORED,
    _route("POST", "/credentials/{credential}/test"): Action.CREDENTIAL_TESTED,
    _route("DELETE", "/credentials/{credential}"): Action.CREDENTIAL_REMOVED,
    _route("PUT|POST", "(/account)?/notices/email"): Action.NOTICES_EMAIL_SET,
    _route("POST", "(/notices/email/confirm|/account/notices/confirm)"): Action.NOTICES_EMAIL_CONFIRMED,
    _route("POST", "(/account)?/notices/webhooks"): Action.NOTICES_WEBHOOK_ADDED,
    _route("PATCH|POST", "(/account)?/notices/{channel}"): Action.NOTICES_CHANGED,
    _route("POST", "(/account)?/notices/{channel}/secret"): Action.NOTICES_SECRET_REPLACED,
    _route("POST", "(/account)?/notices/{channel}/test"): Action.NOTICES_TESTED,
    _route("POST", "(/account)?/notices/{channel}/deliveries/[^/]+/again"): Action.NOTICES_SENT_AGAIN,
    _route("DELETE", "(/account)?/notices/{channel}"): Action.NOTICES_REMOVED,
    _route("POST", "/refs/demo"): Action.REFERENCE_DEMO_ADDED,
    _route("DELETE", "/refs/demo"): Action.REFERENCE_DEMO_REMOVED,
    _route("GET", "/audit"): Action.AUDIT_READ,
}
"""The first that fits counts."""
WITHIN = frozenset({Action.IDENTITY_CONNECTED, Action.RETENTION_APPLIED})
"""Actions that no route stands for: they come about in the course of another one, which has an entry of its own, or the
server does them by its settings."""
_UPLOAD = re.compile(r"/api/v1/uploads/[^/]+")
WITHOUT_ENTRY = (
    _route("POST", "/account/identities"),  # only sends the browser to the provider; what comes of it has an entry
    _route("POST", "/annotate"),  # variants that somebody typed: nothing of a sample, and nothing is kept
    _route("POST", "/(sources|manifests|uploads)/preflight"),  # nothing is kept
    _route("POST", "/ga4gh/wes/v1/runs(/{run}/cancel)?"),  # always refused: runs are only shown there
    _route("PATCH|POST", "/uploads/{upload}"),  # the bytes of an upload, whose beginning has an entry
)


def audited_as(method: str, path: str) -> tuple[Action, Subject | None] | None:
    """The action of a request and what it is about; None if it leaves no entry."""
    asked = f"{method} {path}"
    for pattern, action in AUDITED.items():
        if match := pattern.fullmatch(asked):
            named = [(kind, one) for kind, one in match.groupdict().items() if one is not None]
            return action, (Subject(named[0][0], _one_spelling(named[0][1])) if named else None)
    return None


def _one_spelling(name: str) -> str:
    """An id in one form, however the address spells it: with capitals, without hyphens, in braces, as a URN."""
    try:
        return str(UUID(name))
    except ValueError:
        return name


class AuditTrail:
    """Commits an entry before a request is served, and adds how it went before the answer is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._looked: dict[tuple[str, str], float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Without an entry nothing is done: if none can be written, it fails."""
        found = audited_as(_method_of(scope), scope["path"]) if scope["type"] == "http" else None
        if found is None or self._same_again(scope, *found):
            await self.app(scope, receive, send)
            return
        action, subject = found
        connection = HTTPConnection(scope)
        audit: Audit = connection.app.state.services.audit
        state = scope.setdefault("state", {})
        identity: Identity | None = state.get("identity")
        asking = Asking(
            identity.account if identity else None,
            identity.via if identity else None,
            client_of(connection),
            state.get("request_id"),
        )
        details = collect_details()
        if action is Action.SAMPLE_EXPORTED and scope["query_string"]:
            details["query"] = scope["query_string"].decode("latin-1")[:QUERY_LIMIT]
        entry = await audit.begin(action, asking, subject)
        ended = False

        async def send_when_noted(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start" and not ended:
                ended = True
                await _end(audit, entry, message["status"], details)
            await send(message)

        try:
            await self.app(scope, receive, send_when_noted)
        except Exception:
            if not ended:
                await _end(audit, entry, 500, details)
            raise

    def _same_again(self, scope: Scope, action: Action, subject: Subject | None) -> bool:
        """Whether this person looked at this sample a short while ago, and has an entry for it."""
        identity: Identity | None = scope.get("state", {}).get("identity")
        if action is not Action.SAMPLE_READ or subject is None or identity is None:
            return False
        now, key = time.monotonic(), (identity.credential, subject.id)
        if now - self._looked.get(key, -SAME_AGAIN_SECONDS) < SAME_AGAIN_SECONDS:
            return True
        if len(self._looked) >= MOST_REMEMBERED:
            self._looked.clear()
        self._looked[key] = now
        return False


def _method_of(scope: Scope) -> str:
    """The method as the routes of uploads take it: a client that cannot send DELETE names it in a header."""
    method: str = scope["method"]
    if method == "POST" and _UPLOAD.fullmatch(scope["path"]):
        return Headers(scope=scope).get("x-http-method-override", method).upper()
    return method


async def _end(audit: Audit, entry: int, status: int, details: Mapping[str, object]) -> None:
    """What was done cannot be undone: if its outcome cannot be added, the entry stays without, and the log tells."""
    try:
        await audit.end(entry, status, details)
    except Exception:
        logger.exception("The outcome %d of the audit entry %d could not be added.", status, entry)

"""An OpenID Connect provider: where it is asked, and what is checked of its answers before anything is believed.

Discovery and keys are remembered for an hour; keys are asked for anew when they fit no token, for providers change
them without notice. Only signatures by a key pair count: with a shared secret (HS256) whoever
knows it, and with `none` anybody, could make a token.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlsplit

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.openid_problems import OPENID_REFUSED, OPENID_TOKEN_INVALID, OPENID_UNREACHABLE
from varloom.settings import LOOPBACK
from varloom.transfer.http_client import tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from httpx2 import BasicAuth
    from joserfc.jwk import KeySet

    from varloom.settings import Settings

logger = logging.getLogger(__name__)

REMEMBERED_SECONDS = 3600
FAILED_SECONDS = 3.0
"""How long a provider that did not answer is left alone."""
TIMEOUT = 10.0
"""Seconds that the provider has for each answer."""
LEEWAY = 60
"""Seconds by which the clocks of both machines may differ."""
SUBJECT_LIMIT = 255

_SIGNED_BY_KEY_PAIR = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a login was begun with: the provider has to return `state` and `nonce`, and to be shown `verifier`."""

    redirect_uri: str
    state: str
    nonce: str
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider has recognised. `claims` are all that it tells of them; only `subject` is theirs for ever."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]

    @property
    def email(self) -> str | None:
        """The address, if the provider says that it is verified."""
        email = self.claims.get("email")
        shown = isinstance(email, str) and email.isprintable()
        return email if shown and self.claims.get("email_verified") is True else None


@dataclass(slots=True)
class _Remembered:
    """What the provider says of itself, and when it was asked."""

    metadata: dict[str, Any]
    at: float
    keys: KeySet | None = None
    keys_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Failed:
    """That it did not answer, and when."""

    message: str
    at: float


class OpenIdProvider:
    """The provider of the settings."""

    def __init__(self, settings: Settings) -> None:
        if settings.oidc_issuer is None or settings.oidc_client_id is None:
            raise ValueError("no provider is set")
        self.issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._scope = " ".join(settings.oidc_scopes)
        self._remembered: _Remembered | _Failed | None = None
        self._asking = asyncio.Lock()

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        return tls_context()

    async def look(self) -> None:
        """See that it answers, and has keys.

        Raises:
            VarloomError: `openid_unreachable`.
        """
        await self._keys(await self._about())

    async def address(self, asked: Asked) -> str:
        """Where the browser is sent to.

        Raises:
            VarloomError: `openid_unreachable`.
        """
        about = await self._about()
        async with self._client(asked.redirect_uri) as client:
            url, _ = client.create_authorization_url(
                about.metadata["authorization_endpoint"],
                state=asked.state,
                nonce=asked.nonce,
                code_verifier=asked.verifier,
            )
        return str(url)

    async def person(self, code: str, asked: Asked, needed: tuple[str, ...] = ()) -> Person:
        """Trade the code that the browser brought for who it is.

        Args:
            code: of the address to which the provider sent the browser.
            asked: what the login was begun with.
            needed: claims that are asked for at a further place of the provider if the token lacks them.

        Raises:
            VarloomError: `openid_unreachable`, `openid_refused`, `openid_token_invalid`.
        """
        from authlib.common.errors import AuthlibBaseError
        from authlib.integrations.base_client import OAuthError

        about = await self._about()
        async with self._client(asked.redirect_uri) as client:
            try:
                with _told("token"):
                    token = await client.fetch_token(
                        about.metadata["token_endpoint"],
                        grant_type="authorization_code",
                        code=code,
                        redirect_uri=asked.redirect_uri,
                        code_verifier=asked.verifier,
                        auth=self._proof(about.metadata),
                    )
            except OAuthError as error:
                raise VarloomError(OPENID_REFUSED, f"The provider says {safe_excerpt(str(error.error), 60)}.") from None
            claims = await self._checked(token, asked.nonce)
            userinfo = about.metadata.get("userinfo_endpoint")
            if isinstance(userinfo, str) and any(name not in claims for name in needed):
                try:
                    with _told("userinfo"):
                        answer = await client.get(self._fit(userinfo))
                        answer.raise_for_status()
                        more = dict(answer.json())
                except AuthlibBaseError as error:
                    raise VarloomError(OPENID_TOKEN_INVALID, f"It gives no access: {error.error}.") from None
                if more.get("sub") != claims["sub"]:
                    raise VarloomError(OPENID_TOKEN_INVALID, "The provider tells of somebody else than its token.")
                claims = {**more, **claims}
        return Person(self.issuer, claims["sub"], claims)

    async def _checked(self, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of an ID token, after every check of OpenID Connect Core, section 3.1.3.7."""
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        given = token.get("id_token")
        if not isinstance(given, str):
            raise VarloomError(OPENID_TOKEN_INVALID, "The provider sent no token of who it is.")
        options: Any = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self._client_id},
            "exp": {"essential": True},
            "iat": {"essential": True},
            "nonce": {"essential": True, "value": nonce},
            "sub": {"essential": True},
        }
        about = {"nonce": nonce, "client_id": self._client_id, "access_token": token.get("access_token")}
        try:
            decoded = await self._decoded(given)
            claims = CodeIDToken(decoded.claims, decoded.header, options, about)
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            said = safe_excerpt(str(error), 100)
            logger.warning("A token of the OpenID Connect provider was refused: %s: %s", type(error).__name__, said)
            raise VarloomError(OPENID_TOKEN_INVALID, f"Its token failed a check: {said}.") from None
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LIMIT or not subject.isprintable():
            raise VarloomError(OPENID_TOKEN_INVALID, "Its token names nobody (sub).")
        return dict(claims)

    async def _decoded(self, token: str) -> Any:
        """The token, its signature checked; by keys that are asked for anew where those that are known do not fit."""
        from joserfc import jwt
        from joserfc.errors import BadSignatureError, InvalidKeyIdError
        from joserfc.jws import JWSRegistry

        about = await self._about()
        named = about.metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(algorithms=sorted(_SIGNED_BY_KEY_PAIR & set(named)), strict_check_header=False)
        keys, asked_now = await self._keys(about)
        try:
            return jwt.decode(token, keys, registry=registry)
        except (InvalidKeyIdError, BadSignatureError):
            if asked_now:
                raise
        keys, _ = await self._keys(about, anew=True)
        return jwt.decode(token, keys, registry=registry)

    async def _keys(self, about: _Remembered, *, anew: bool = False) -> tuple[KeySet, bool]:
        """The provider's keys for signatures, and whether they were asked for just now."""
        from joserfc.jwk import KeySet

        if about.keys is not None and not anew and time.monotonic() - about.keys_at < REMEMBERED_SECONDS:
            return about.keys, False
        found = await self._json(about.metadata["jwks_uri"], "keys")
        with _told("keys"):
            pairs = [one for one in found["keys"] if one.get("kty") != "oct" and one.get("use", "sig") == "sig"]
            about.keys = KeySet.import_key_set({"keys": pairs})
        about.keys_at = time.monotonic()
        return about.keys, True

    async def _about(self) -> _Remembered:
        """What the provider says of itself. One that has just failed is not asked again at once, by whoever waits."""
        async with self._asking:
            known, now = self._remembered, time.monotonic()
            if isinstance(known, _Failed) and now - known.at < FAILED_SECONDS:
                raise VarloomError(OPENID_UNREACHABLE, known.message)
            if isinstance(known, _Remembered) and now - known.at < REMEMBERED_SECONDS:
                return known
            try:
                self._remembered = _Remembered(await self._discovered(), time.monotonic())
            except VarloomError as error:
                self._remembered = _Failed(error.message, time.monotonic())
                raise
            return self._remembered

    async def _discovered(self) -> dict[str, Any]:
        """Its configuration, if it is one."""
        found = await self._json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration", "configuration")
        if found.get("issuer") != self.issuer:
            says = safe_excerpt(str(found.get("issuer")), 100)
            raise VarloomError(OPENID_UNREACHABLE, f"The provider calls itself {says}, and not as in `oidc_issuer`.")
        for name in _ENDPOINTS:
            self._fit(found.get(name))
        return found

    async def _json(self, url: str, what: str) -> dict[str, Any]:
        import httpx2

        with _told(what):
            async with httpx2.AsyncClient(timeout=TIMEOUT, verify=self._tls) as client:
                answer = await client.get(url, headers={"Accept": "application/json"})
                answer.raise_for_status()
                return dict(answer.json())

    def _fit(self, url: object) -> str:
        """An address that the provider names; without TLS only on this machine."""
        parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise VarloomError(OPENID_UNREACHABLE, f"The provider names {safe_excerpt(str(url), 100)} as an address.")
        return str(url)

    def _proof(self, metadata: Mapping[str, Any]) -> BasicAuth | None:
        """What shows the provider that it is this server; None where it stands in the body, or there is no secret.

        Both parts are encoded as in a form (RFC 6749, section 2.3.1), which Authlib does not do.
        """
        import httpx2

        ways = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if not self._secret or "client_secret_basic" not in ways:
            return None
        return httpx2.BasicAuth(quote_plus(self._client_id), quote_plus(self._secret))

    def _client(self, redirect_uri: str) -> AsyncOAuth2Client:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        return AsyncOAuth2Client(
            self._client_id,
            self._secret,
            token_endpoint_auth_method="client_secret_post" if self._secret else "none",
            scope=self._scope,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT,
            verify=self._tls,
        )


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Tell what a provider does that is away or talks nonsense, without what it was asked or sent."""
    import httpx2
    from joserfc.errors import JoseError

    try:
        yield
    except httpx2.HTTPStatusError as error:
        raise _unreachable(f"answers {error.response.status_code}", what, error) from None
    except httpx2.TimeoutException as error:
        raise _unreachable(f"does not answer within {TIMEOUT:g} seconds", what, error) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _unreachable("cannot be reached", what, error) from None
    except (ValueError, TypeError, KeyError, AttributeError, JoseError) as error:
        raise _unreachable("answers something that cannot be understood", what, error) from None


def _unreachable(said: str, what: str, error: Exception) -> VarloomError:
    logger.warning("The OpenID Connect provider %s (%s): %s", said, what, type(error).__name__)
    return VarloomError(OPENID_UNREACHABLE, f"The provider {said} ({what}).")

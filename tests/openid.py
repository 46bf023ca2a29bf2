"""OpenID Connect providers on loopback: a real one, `oidc-provider`, which `make test` gets from npm, and a liar."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from tests.absent import absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from nodejs import node_and_npm  # noqa: E402 - it is no part of a package

PROGRAM = ROOT / "tests" / "openid_provider" / "provider.mjs"
MODULE = ROOT / "build" / "openid_provider" / "node_modules" / "oidc-provider" / "lib" / "index.js"
CLIENT_ID, CLIENT_SECRET = "varloom", "the+secret/of%20the=test:~&"
CALLBACK = "/login/openid/callback"


@contextlib.contextmanager
def real_provider(port: int, varloom_url: str) -> Iterator[str]:
    """A provider that knows one Varloom; yields its issuer."""
    if not MODULE.exists():
        absent("oidc-provider is not there: `python scripts/ensure_test_programs.py` gets it from npm")
    node, _, environment = node_and_npm()
    command = [*node, str(PROGRAM), str(MODULE), str(port), varloom_url + CALLBACK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == b"ready"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def pass_the_provider(address: str, name: str) -> str:
    """What a person does at the real provider: give a name, agree; the address to which it sends the browser back."""
    with httpx.Client(trust_env=False, timeout=30) as browser:
        answer = browser.get(address)
        for _ in range(12):
            if answer.is_redirect:
                location = str(answer.next_request.url)
                if urlsplit(location).path == CALLBACK:
                    return location
                answer = browser.get(location)
                continue
            form = re.search(r'action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert form, answer.text
            assert prompt, answer.text
            sent = {"prompt": prompt[1], "login": name, "password": "x"}
            answer = browser.post(httpx.URL(address).join(form[1]), data=sent)
    raise AssertionError(f"it leads nowhere: {answer.text}")


Claims = dict[str, Any]


@dataclass
class FakeProvider:
    """A provider of which every answer can be spoiled. It lets in whoever brings any code."""

    server: ThreadingHTTPServer
    nonce: str = ""
    claims: Claims = field(default_factory=dict)
    """What tokens say beside what is right, or in its place; None takes a claim away."""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "first"}))
    published: list[Any] = field(default_factory=list)
    metadata: Claims = field(default_factory=dict)
    userinfo: Claims | None = None
    make_token: Callable[[FakeProvider, Claims], str] | None = None
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    delay: float = 0.0
    one_at_a_time: contextlib.AbstractContextManager[Any] = field(default_factory=contextlib.nullcontext)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str, body: str) -> tuple[int, bytes]:
        """The answer to a request."""
        with self.one_at_a_time:
            return self._answer(path, body)

    def _answer(self, path: str, body: str) -> tuple[int, bytes]:
        self.asked.append((path, {name: values[0] for name, values in parse_qs(body).items()}))
        time.sleep(self.delay)
        if path in self.answers:
            return self.answers[path]
        about = {
            "/.well-known/openid-configuration": self._about,
            "/jwks": lambda: {"keys": [key.as_dict(private=False) for key in self.published or [self.key]]},
            "/token": self._token,
            "/userinfo": lambda: self.userinfo,
        }
        return (200, json.dumps(about[path]()).encode()) if path in about else (404, b"{}")

    def _about(self) -> Claims:
        endpoints = {
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            **({} if self.userinfo is None else {"userinfo_endpoint": f"{self.issuer}/userinfo"}),
        }
        return {"issuer": self.issuer, **endpoints, **self.metadata}

    def right_claims(self) -> Claims:
        """What a token of this provider says, as far as the test does not have it otherwise."""
        now = int(time.time())
        right = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "ann-1",
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "email": "ann@lab.example.org",
            "email_verified": True,
            "preferred_username": "ann",
        }
        return {name: value for name, value in {**right, **self.claims}.items() if value is not None}

    def _token(self) -> Claims:
        claims = self.right_claims()
        token = self.make_token(self, claims) if self.make_token else signed(self.key, claims)
        return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": token}


def signed(key: RSAKey, claims: Claims, **header: Any) -> str:
    """An ID token."""
    return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, claims, key)


def unsigned(provider: FakeProvider, claims: Claims) -> str:
    """A token with `alg: none`."""
    return f"{_unsigned({'alg': 'none', 'kid': provider.key.kid}, claims)}."


def signed_with_public_key(provider: FakeProvider, claims: Claims) -> str:
    """A token whose signature is an HMAC, with the key that everybody knows."""
    text = _unsigned({"alg": "HS256", "kid": provider.key.kid}, claims)
    return f"{text}.{_packed(hmac.digest(provider.key.as_pem(private=False), text.encode(), 'sha256'))}"


def _unsigned(header: Claims, claims: Claims) -> str:
    return ".".join(_packed(json.dumps(one).encode()) for one in (header, claims))


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed_with_client_secret(provider: FakeProvider, claims: Claims) -> str:
    """A token whose signature is an HMAC, with the secret of the client."""
    return jwt.encode({"alg": "HS256", "kid": provider.key.kid}, claims, OctKey.import_key(CLIENT_SECRET * 2))


def signed_by_another(provider: FakeProvider, claims: Claims) -> str:
    """A token of somebody else's key, which goes by the name of the provider's."""
    return signed(RSAKey.generate_key(2048, {"kid": provider.key.kid}), claims)


def with_its_own_key(provider: FakeProvider, claims: Claims) -> str:
    """A token that brings the key with which it is to be checked."""
    own = RSAKey.generate_key(2048, {"kid": "own"})
    return signed(own, claims, jwk=own.as_dict(private=False))


@contextlib.contextmanager
def fake_provider() -> Iterator[FakeProvider]:
    """A provider that can lie, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def _answer(self, body: str) -> None:
            status, content = provider.answer(urlsplit(self.path).path, body)
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """It is quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = FakeProvider(server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

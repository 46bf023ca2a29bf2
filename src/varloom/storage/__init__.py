"""Where files are kept: a local folder. Object stores come behind the same interface."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from varloom.errors import SETTINGS_INVALID, VarloomError
from varloom.storage.local import LocalStorage
from varloom.storage.model import Storage, StoredObject, checked_key
from varloom.storage.problems import STORAGE_NOT_SUPPORTED

if TYPE_CHECKING:
    from varloom.settings import Settings

__all__ = ["LocalStorage", "Storage", "StoredObject", "checked_key", "open_storage"]

_OBJECT_STORES = {"s3", "gs", "az"}


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name: a path, a file:// URL, or by default the folder `storage` of the data folder.

    Raises:
        VarloomError: `storage_not_supported` for an object store, `settings_invalid` for any other URL,
            `storage_unusable` when the folder cannot be created.
    """
    return LocalStorage(_local_folder(settings))


def _local_folder(settings: Settings) -> Path:
    if settings.storage is None:
        return settings.data / "storage"
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", settings.storage)
    if scheme is None:
        return Path(settings.storage).expanduser()
    url = urlsplit(settings.storage)
    if url.scheme in _OBJECT_STORES:
        raise VarloomError(
            STORAGE_NOT_SUPPORTED, f"Files cannot be kept in {url.scheme}:// yet, only in a local folder."
        )
    if url.scheme != "file" or url.netloc not in {"", "localhost"} or not url.path.startswith("/"):
        raise VarloomError(
            SETTINGS_INVALID, "storage: expected a local folder, such as /srv/varloom or file:///srv/varloom"
        )
    return Path(unquote(url.path))

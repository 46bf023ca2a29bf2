"""Secrets at rest: encrypted with a key that is not in the database, so that neither it nor its backups hold any.

The key is in a file of the data folder that only its owner can read, or in a setting where several machines need it.
Several keys make a rotation: the first encrypts, all decrypt.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from varloom.errors import SETTINGS_INVALID, VarloomError
from varloom.transfer.problems import SOURCE_SECRET_UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY_FILE = "secret.key"


class Vault:
    """Encrypts and decrypts. It reads the keys when it is used, and again when the file has changed since."""

    def __init__(self, keys: Sequence[str], file: Path) -> None:
        """Prepare a vault.

        Args:
            keys: of the setting `secret_keys`, the newest first; none: those of the file.
            file: a key a line, the newest first.
        """
        self._keys = tuple(keys)
        self._file = file
        self._opened: MultiFernet | None = None
        self._read: tuple[int, ...] | None = None

    @property
    def has_several_keys(self) -> bool:
        """Whether keys are being rotated."""
        return len(self._keys or self._keys_of_file()) > 1

    def create_key(self) -> None:
        """See that there is a key: a server does so when it starts."""
        if self._keys or self._file.exists():
            return
        unfinished = self._written(())
        try:
            os.link(unfinished, self._file)  # another server may have been faster: its key stays
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()

    def add_key(self) -> None:
        """Put a new key before the newest one of the file, and leave older ones out: nothing may need them any more.

        Raises:
            VarloomError: `source_secret_unreadable` where there is no key.
        """
        unfinished = self._written(self._keys_of_file()[:1])
        unfinished.replace(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _written(self, others: Sequence[str]) -> Path:
        """A file beside that of the keys, with a new key and these."""
        unfinished = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if self._file.exists() and os.geteuid() == 0:  # what root writes is to be read by whom it belonged to
            owner = self._file.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"{key}\n" for key in (Fernet.generate_key().decode(), *others))
            file.flush()
            os.fsync(file.fileno())
        return unfinished

    def encrypt(self, values: dict[str, Any]) -> bytes:
        """The values as a text that is of no use without the key.

        Raises:
            VarloomError: `source_secret_unreadable` where there is no key; `settings_invalid`.
        """
        return self._fernet().encrypt(json.dumps(values).encode())

    def decrypt(self, secret: bytes) -> dict[str, Any]:
        """The values again.

        Raises:
            VarloomError: `source_secret_unreadable`; `settings_invalid`.
        """
        try:
            values: dict[str, Any] = json.loads(self._fernet().decrypt(bytes(secret)))
        except InvalidToken:
            raise VarloomError(
                SOURCE_SECRET_UNREADABLE, "The secret was encrypted with a key that is not here."
            ) from None
        return values

    def renewed(self, secret: bytes) -> bytes:
        """The same secret, encrypted with the newest key.

        Raises:
            VarloomError: `source_secret_unreadable`; `settings_invalid`.
        """
        try:
            return self._fernet().rotate(bytes(secret))
        except InvalidToken:
            raise VarloomError(
                SOURCE_SECRET_UNREADABLE, "The secret was encrypted with a key that is not here."
            ) from None

    def _fernet(self) -> MultiFernet:
        stamp = None if self._keys else self._stamp()
        if self._opened is None or stamp != self._read:
            self._read = stamp
            keys = self._keys or self._keys_of_file()
            try:
                self._opened = MultiFernet([Fernet(key) for key in keys])
            except ValueError:
                where = "secret_keys" if self._keys else str(self._file)
                raise VarloomError(
                    SETTINGS_INVALID, f"{where}: a key is 32 bytes in URL-safe base64; one of them is not."
                ) from None
        return self._opened

    def _stamp(self) -> tuple[int, ...] | None:
        """What tells a file of keys from one that was written in its place."""
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _keys_of_file(self) -> tuple[str, ...]:
        try:
            lines = self._file.read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError):
            lines = []
        if not lines:
            raise VarloomError(SOURCE_SECRET_UNREADABLE, f"There is no key: {self._file} cannot be read.")
        return tuple(lines)

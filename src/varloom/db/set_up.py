"""Setting up the files of an empty embedded database, and checking whose they are."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from varloom.db.database_folder import sync_folder, write_private
from varloom.db.problems import DATABASE_START_FAILED, DATABASE_VERSION_MISMATCH
from varloom.db.server_log import last_lines
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.db.binaries import Binaries
    from varloom.db.system_user import SystemUser

ROLE = "varloom"

_OPTIONS = (
    *("--auth=scram-sha-256", "--data-checksums", "--no-instructions"),
    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)


def set_up(home: Path, run_folder: Path, binaries: Binaries, user: SystemUser, password: str) -> None:
    """Run initdb, so that `home/data` is whole or not there.

    Args:
        home: the folder of the database, by a name that PostgreSQL can hold.
        run_folder: a private folder of `user`, where initdb finds the password for a moment.
        binaries: PostgreSQL.
        user: whom initdb is run as.
        password: of the role `varloom`, the superuser of the new database.
    """
    unfinished = home / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    pwfile = run_folder / "password"
    write_private(pwfile, password, user)
    try:
        done = user.run(binaries.initdb, "-D", unfinished, "-U", ROLE, f"--pwfile={pwfile}", *_OPTIONS)
    finally:
        pwfile.unlink()
    if done.returncode != 0:
        raise VarloomError(DATABASE_START_FAILED, f"Setting up the database failed: {last_lines(done.stdout)}")
    unfinished.rename(home / "data")
    sync_folder(home)


def check_version(pgdata: Path, binaries: Binaries) -> None:
    """Refuse a database that another major version has set up.

    Raises:
        VarloomError: `database_version_mismatch`.
    """
    made_by = (pgdata / "PG_VERSION").read_text().strip()
    version = binaries.version()
    if made_by != version.partition(".")[0]:
        message = f"The database in {pgdata} was set up by PostgreSQL {made_by}; Varloom brings {version}."
        raise VarloomError(DATABASE_VERSION_MISMATCH, message)

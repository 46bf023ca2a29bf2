"""What can go wrong with the database."""

from __future__ import annotations

from varloom.errors import define

DATABASE_START_FAILED = define(
    "database_start_failed",
    "The database did not start",
    cause="The embedded PostgreSQL could not be set up or started. The message holds what it said last.",
    resolution=(
        "Check that the disk of the data folder has free space and can be written to.",
        "Mend what the last lines of the database's log name, then start again.",
        "Or give a PostgreSQL of your own with --database-url.",
    ),
    status=503,
)
DATABASE_VERSION_MISMATCH = define(
    "database_version_mismatch",
    "The data folder belongs to another PostgreSQL version",
    cause="The data folder was set up by another major version of PostgreSQL than the one installed with Varloom.",
    resolution=(
        "Install the version of Varloom that this data folder was last used with.",
        "Or choose another data folder with --data.",
    ),
    status=503,
)
DATABASE_FOLDER_MISSING = define(
    "database_folder_missing",
    "The database's folder is missing",
    cause="The data folder says that its database has been set up, but the database's files are not where they were.",
    resolution=(
        "Bring the folder named in the message back, from a backup or from where it was moved to.",
        "To begin anew without the old data, choose another data folder with --data.",
    ),
    status=503,
)
DATABASE_COPY_FAILED = define(
    "database_copy_failed",
    "The database could not be copied",
    cause="pg_dump or pg_restore ended with an error. The message holds what it said last; nothing was changed.",
    resolution=(
        "A newer PostgreSQL than Varloom's pg_dump is refused by it: use its own backups, or install a newer Varloom.",
        "Else mend what the message names, such as a full disk, and give the same command again.",
    ),
)
DATABASE_UNREACHABLE = define(
    "database_unreachable",
    "The database cannot be reached",
    cause="PostgreSQL did not accept the connection: it is not running, the address or the credentials are wrong, "
    "or the database does not exist.",
    resolution=(
        "Check that PostgreSQL runs and that host, port, user, password and database of --database-url are right.",
        "Try again when it is reachable.",
    ),
    retryable=True,
    status=503,
)
DATABASE_TOO_OLD = define(
    "database_too_old",
    "The PostgreSQL server is too old",
    cause="Varloom needs PostgreSQL 14 or newer.",
    resolution=("Upgrade the PostgreSQL server, or leave --database-url out to use the embedded one.",),
    status=503,
)
SCHEMA_NEWER = define(
    "schema_newer",
    "The database is newer than this Varloom",
    cause="A newer version of Varloom has already changed the tables of this database.",
    resolution=("Install the newer version of Varloom on this machine, too.",),
    status=503,
)
SCHEMA_CHANGED = define(
    "schema_changed",
    "A migration was changed after it had been applied",
    cause="The record of applied migrations in the database does not match the migrations of this installation.",
    resolution=(
        "Install an unmodified release of Varloom, of the same or a newer version than the one used last.",
        "If you develop Varloom: put the change into a new migration.",
    ),
    status=503,
)

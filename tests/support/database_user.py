"""Uses the database of a data folder until a line comes on stdin: `database_user.py DATA [UID]`.

It writes the process id of the server to stdout. With UID it first becomes that system user, for good.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psycopg

from varloom.db.embedded import EmbeddedPostgres


def main(data: str, uid: str = "") -> None:
    if uid:
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    server = EmbeddedPostgres(Path(data))
    server.start()
    with psycopg.connect(server.conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(1)")  # CREATE IF NOT EXISTS is not safe for several at once
        connection.execute("CREATE TABLE IF NOT EXISTS kept (pid integer)")
        connection.execute("INSERT INTO kept VALUES (%s)", [os.getpid()])
    sys.stdout.write(f"{server.server_pid}\n")
    sys.stdout.flush()
    sys.stdin.readline()
    server.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

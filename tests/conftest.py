"""What many tests share: one real PostgreSQL for the session, a fresh migrated database for each test, accounts.

- `postgres` (session): a running `EmbeddedPostgres` in a folder of its own
- `database_url`: conninfo of a fresh, migrated, empty database; dropped after the test
- `make_database`: a factory of further ones, migrated or (`migrated=False`) without any table
- `module_database_url` (module): one for all tests of a file
- `pool`: an `AsyncConnectionPool` on `database_url`, as `varloom.db.pool.open_pool` makes it
- `connection`: a plain `psycopg.AsyncConnection` with autocommit on `database_url`
- `make_account`: `await make_account(name="...", role="member")` -> `varloom.services.accounts.Account`
- `account`: one such account
- `data_folder`: the data folder of an embedded PostgreSQL that is set up but does not run; cleared away in the end
- `s3` (session): a running SeaweedFS with one bucket
- `shared`: the folder `../shared` beside the checkout; the test is skipped where it is absent
- `open_folder`: an empty folder that other system users can traverse, unlike pytest's `tmp_path`

Databases that servers under test have set up below `tmp_path` are stopped and removed at the end of the session.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tests.absent import absent
from tests.object_stores import azure_server, s3_server
from tests.shared_data import SHARED

from varloom.db.embedded import EmbeddedPostgres
from varloom.db.migrate import migrate
from varloom.db.pool import open_pool
from varloom.services.accounts import Account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from psycopg_pool import AsyncConnectionPool
    from tests.object_stores import ObjectStore


LONG = ("chaos", "verifier", "faults", "acceptance", "engine", "transfer", "integration", "property", "annotation")
"""Folders whose files take long. Those that wait most of the time come beside those that keep a processor busy."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that in the end all processes have something to do."""
    ranks = {name: rank for rank, name in enumerate(LONG)}
    folders = {item: item.path.relative_to(Path(__file__).parent).parts[0] for item in items}
    items.sort(key=lambda item: ranks.get(folders[item], len(LONG)))


class MakeDatabase(Protocol):
    """Creates a database and returns its conninfo."""

    def __call__(self, *, migrated: bool = True) -> str: ...


class MakeAccount(Protocol):
    """Creates an account; the name is made up unless given."""

    async def __call__(self, name: str | None = None, role: str = "member") -> Account: ...


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        absent("needs the folder ../shared beside the checkout")
    return SHARED


@pytest.fixture
def missing_shared_data() -> None:
    pytest.fail("needs data in ../shared beside the checkout, which is missing")


@pytest.fixture(scope="session")
def s3() -> Iterator[ObjectStore]:
    folder = _open_folder()
    with s3_server(folder) as store:
        yield store
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with azure_server(tmp_path_factory.mktemp("azure")) as store:
        yield store


@pytest.fixture
def open_folder() -> Iterator[Path]:
    folder = _open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def module_open_folder() -> Iterator[Path]:
    folder = _open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def _leave_no_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers that ran in a `tmp_path` as root kept their database in /var/lib/varloom; killed ones may still run."""
    yield
    for record in tmp_path_factory.getbasetemp().rglob("postgres.json"):
        EmbeddedPostgres(record.parent).destroy()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    folder = _open_folder()
    server = EmbeddedPostgres(folder)
    server.start()
    try:
        # These tests do not cut the power, and creating databases is much faster so.
        with _maintenance(server) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        server.destroy()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def prepared_data() -> Iterator[Path]:
    folder = _open_folder()
    server = EmbeddedPostgres(folder / "data")
    with server:
        pass
    yield folder / "data"
    server.destroy()
    shutil.rmtree(folder)


@pytest.fixture
def data_folder(prepared_data: Path, open_folder: Path) -> Iterator[Path]:
    folder = open_folder / "data"
    subprocess.run(["cp", "-a", prepared_data, folder], check=True)
    yield folder
    EmbeddedPostgres(folder).destroy()


@pytest.fixture(scope="session")
def template_database(postgres: EmbeddedPostgres) -> str:
    with _maintenance(postgres) as connection:
        connection.execute("CREATE DATABASE varloom_template")
    migrate(make_conninfo(postgres.conninfo, dbname="varloom_template"))
    return "varloom_template"


@contextlib.contextmanager
def _databases(server: EmbeddedPostgres, template: str) -> Iterator[MakeDatabase]:
    created = []

    def make(*, migrated: bool = True) -> str:
        name = f"test_{secrets.token_hex(8)}"
        source = template if migrated else "template0"
        statement = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
        with _maintenance(server) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(source)))
        created.append(name)
        return make_conninfo(server.conninfo, dbname=name)

    yield make
    with _maintenance(server) as connection:
        for name in created:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def make_database(postgres: EmbeddedPostgres, template_database: str) -> Iterator[MakeDatabase]:
    with _databases(postgres, template_database) as make:
        yield make


@pytest.fixture(scope="module")
def module_database_url(postgres: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    with _databases(postgres, template_database) as make:
        yield make()


@pytest.fixture
def database_url(make_database: MakeDatabase) -> str:
    return make_database()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[AsyncConnectionPool]:
    async with open_pool(database_url, max_size=8, application_name="varloom test") as opened:
        yield opened


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def make_account(pool: AsyncConnectionPool) -> MakeAccount:
    async def make(name: str | None = None, role: str = "member") -> Account:
        name = name or f"account-{secrets.token_hex(4)}"
        async with pool.connection() as connection:
            cursor = await connection.execute(
                "INSERT INTO accounts (name, role) VALUES (%s, %s) RETURNING id", [name, role]
            )
            (identity,) = await cursor.fetchone()
        return Account(identity, name, role)

    return make


@pytest.fixture
async def account(make_account: MakeAccount) -> Account:
    return await make_account()


def _open_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="varloom-test-"))
    folder.chmod(0o711)
    return folder


def _maintenance(server: EmbeddedPostgres) -> psycopg.Connection:
    return psycopg.connect(make_conninfo(server.conninfo, dbname="postgres"), autocommit=True)

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
- `module_data_folder` (module): one for all tests of a file
- `data_copy` (session): a factory of further ones, each for the length of a `with` block
- `s3` (session): a running SeaweedFS with one bucket
- `shared`: the folder `../shared` beside the checkout; the test is skipped where it is absent
- `open_folder`: an empty folder that other system users can traverse, unlike pytest's `tmp_path`

Databases that servers under test have set up below `tmp_path` are stopped and removed at the end of the session.

The databases lie in memory where the machine has enough of it: to create and drop one costs a tenth of what it does on
a disk. Processes that are killed lose nothing there; what is true of a disk is tested in folders of the disk.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil
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
from varloom.garbage import collect_seldom
from varloom.services.accounts import Account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from psycopg_pool import AsyncConnectionPool
    from tests.object_stores import ObjectStore


collect_seldom()  # the tests' own processes too: to import and collect them makes millions of objects

MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 3 * 1024**3

LONG = (
    "chaos",
    "faults/test_download_jobs.py",
    "faults/test_failpoints.py",
    "faults/test_resumable_uploads.py",
    "verifier/test_large_corpus_cells.py",
    "integration/test_cli_serve.py",
    "faults/test_kill.py",
    "faults/test_cut_off_worker.py",
    "property/test_reader_vcf_property.py",
    "integration/test_embedded_postgres.py",
    "integration/test_benchmarks.py",
    "processing/test_cpu_engine.py",
    "integration/test_object_store_jobs.py",
    "faults",
    "verifier",
    "acceptance",
    "engine",
    "transfer",
    "integration",
    "property",
    "annotation",
    "processing",
    "pgx",
)
"""Files and folders whose files take long. Those that wait most of the time come beside those that keep a processor
busy, and none that takes a minute is left for the end, where it would run alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that in the end all processes have something to do."""
    ranks = {name: rank for rank, name in enumerate(LONG)}
    home = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(home)
        return ranks.get(path.as_posix(), ranks.get(path.parts[0], len(ranks)))

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """Never again look through what the imports and the collected tests hold: nothing of it becomes garbage."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """What is left at the end is looked through once, as ever."""
    gc.unfreeze()


class DataCopy(Protocol):
    """Makes a copy of the data folder of an embedded PostgreSQL that is set up, for the length of a `with` block."""

    def __call__(self) -> contextlib.AbstractContextManager[Path]: ...


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
    _clear_away(folder)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with azure_server(tmp_path_factory.mktemp("azure")) as store:
        yield store


@pytest.fixture
def open_folder() -> Iterator[Path]:
    folder = _open_folder()
    yield folder
    _clear_away(folder)


@pytest.fixture(scope="module")
def module_open_folder() -> Iterator[Path]:
    folder = _open_folder()
    yield folder
    _clear_away(folder)


@pytest.fixture(scope="session", autouse=True)
def _leave_no_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers that ran in a `tmp_path` as root kept their database in /var/lib/varloom; killed ones may still run."""
    yield
    for record in tmp_path_factory.getbasetemp().rglob("postgres.json"):
        EmbeddedPostgres(record.parent).destroy()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    folder = _open_folder(_in_memory())
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
        _clear_away(folder)


@pytest.fixture(scope="session")
def prepared_data() -> Iterator[Path]:
    folder = _open_folder(_in_memory())
    server = EmbeddedPostgres(folder / "data")
    with server:
        pass
    yield folder / "data"
    server.destroy()
    _clear_away(folder)


@contextlib.contextmanager
def _copied(prepared_data: Path) -> Iterator[Path]:
    folder = _open_folder(_in_memory())
    data = folder / "data"
    subprocess.run(["cp", "-a", prepared_data, data], check=True)
    yield data
    EmbeddedPostgres(data).destroy()
    _clear_away(folder)


@pytest.fixture(scope="session")
def data_copy(prepared_data: Path) -> DataCopy:
    return functools.partial(_copied, prepared_data)


@pytest.fixture
def data_folder(prepared_data: Path) -> Iterator[Path]:
    with _copied(prepared_data) as data:
        yield data


@pytest.fixture(scope="module")
def module_data_folder(prepared_data: Path) -> Iterator[Path]:
    with _copied(prepared_data) as data:
        yield data


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


def _open_folder(parent: Path | None = None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="varloom-test-", dir=parent))
    folder.chmod(0o711)
    return folder


def _clear_away(folder: Path, seconds: float = 30.0) -> None:
    """Remove a folder. A process that was killed may write into it until it is gone."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _in_memory() -> Path | None:
    """A folder in memory that has room for the databases of all processes; None where there is none."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK | os.X_OK):
        return None
    enough = shutil.disk_usage(MEMORY).free > MEMORY_NEEDED and psutil.virtual_memory().available > 2 * MEMORY_NEEDED
    return MEMORY if enough else None


def _maintenance(server: EmbeddedPostgres) -> psycopg.Connection:
    return psycopg.connect(make_conninfo(server.conninfo, dbname="postgres"), autocommit=True)

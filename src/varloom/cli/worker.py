"""`varloom worker`: runs stages of jobs."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import click

from varloom import tracing
from varloom.cli.server_settings import data_options, log_to_stderr
from varloom.cli.service_manager import ServiceManager

if TYPE_CHECKING:
    from varloom.db.database import Database
    from varloom.settings import Settings


@click.command()
@data_options
@click.option("--parent-pipe", type=int, hidden=True)
def worker(*, parent_pipe: int | None, verbose: bool, **flags: Any) -> None:
    """Run a worker beside a server, on this or another machine.

    On another machine it needs --database-url and --storage of the server, and no data folder.
    SIGTERM or Ctrl+C stops it: what it cannot finish in time returns to the queue.
    """
    import uvloop

    from varloom.db.database import open_database, require_database
    from varloom.db.migrate import migrate
    from varloom.settings import load_settings

    manager = ServiceManager()
    settings = load_settings(**flags)
    log_to_stderr(verbose=verbose, form=settings.log_format)
    require_database(settings)
    with open_database(settings) as database:
        migrate(database.conninfo)
        manager.ready()  # what it may still wait for, a storage or the database again, it waits for at any time
        tracing.start(settings.otel_endpoint, "varloom-worker")
        try:
            uvloop.run(_work(settings, database, parent_pipe))
        finally:
            tracing.stop()


async def _work(settings: Settings, database: Database, parent_pipe: int | None) -> None:
    from varloom.services.work import run_worker

    stop = asyncio.Event()
    if parent_pipe is not None:
        os.set_inheritable(parent_pipe, False)
        _stop_at_end(parent_pipe, stop)
    await run_worker(settings, database, stop=stop)


def _stop_at_end(pipe: int, stop: asyncio.Event) -> None:
    """Stop when the other end of the pipe closes: nobody writes to it, so that readable means closed."""
    loop = asyncio.get_running_loop()

    def closed() -> None:
        loop.remove_reader(pipe)  # it would stay readable, and keep the loop busy, until the worker has stopped
        stop.set()

    loop.add_reader(pipe, closed)

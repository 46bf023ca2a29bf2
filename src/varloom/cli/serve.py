"""`varloom serve`: database, web server and worker, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from varloom import tracing
from varloom.cli.server_settings import data_options, log_to_stderr
from varloom.cli.service_manager import ServiceManager
from varloom.log_lines import logs_json, ready_line

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator
    from types import FrameType

    from varloom.db.database import Database
    from varloom.services.container import Services
    from varloom.services.worker_process import WorkerProcess
    from varloom.settings import Settings
    from varloom.web.server import WebServer

logger = logging.getLogger(__name__)

TOKEN_LABEL = "server.json of {name}"  # noqa: S105 - the label of a token
SERVERS_SECRET = "VARLOOM_OIDC_CLIENT_SECRET"  # noqa: S105 - a name
"""What no worker needs, nor what it starts."""
DATABASE_LOOK_INTERVAL = 5.0


@click.command()
@data_options
@click.option("--host", help="Address to listen on; default: 127.0.0.1, this machine only.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; default: 8400; 0 takes a free one.")
@click.option("--no-worker", is_flag=True, help="Start no worker; run `varloom worker` yourself.")
def serve(*, no_worker: bool, verbose: bool, **flags: Any) -> None:
    """Start the server, its database and a worker.

    Ctrl+C or SIGTERM stops them; what was running goes on at the next start.
    """
    from varloom.db.database import open_database
    from varloom.db.migrate import migrate
    from varloom.services.data_folder import held_data_folder, remove_server_note
    from varloom.services.work import checked_slots
    from varloom.settings import load_settings
    from varloom.web.server import allow_many_connections, bind

    manager = ServiceManager()
    settings = load_settings(**flags)
    log_to_stderr(verbose=verbose, form=settings.log_format)
    if not no_worker:
        checked_slots(settings)
    allow_many_connections()
    tracing.start(settings.otel_endpoint, "varloom-server")
    signal.signal(signal.SIGTERM, _interrupt)
    with (
        held_data_folder(settings.data) as name,
        contextlib.closing(bind(settings.host, settings.port)) as listener,
        open_database(settings) as database,
    ):
        migrate(database.conninfo)
        try:
            _run(_serve(settings, database, listener, name, manager, with_worker=not no_worker))
        finally:
            remove_server_note(settings.data)
            tracing.stop()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a signal handler's arguments
    """SIGTERM while the database starts or stops ends the program in order, as Ctrl+C does."""
    raise KeyboardInterrupt


def _run(coroutine: Any) -> None:
    import uvloop

    uvloop.run(coroutine)


async def _serve(
    settings: Settings,
    database: Database,
    listener: socket.socket,
    name: str,
    manager: ServiceManager,
    *,
    with_worker: bool,
) -> None:
    """Run web server and worker until a signal comes."""
    from varloom.services.container import open_services
    from varloom.web.app import create_app
    from varloom.web.server import WebServer, url_of

    stop = _stop_signal()
    async with open_services(settings, database) as services:
        ready = asyncio.Event()
        app = create_app(settings, lambda: contextlib.nullcontext(services))
        web = WebServer(app, listener, ready.set)
        worker = _worker_process(settings, database) if with_worker else None
        async with _running(web, worker, database, services) as ended:
            await _first_of(ready.wait(), ended)
            if ready.is_set():
                await _announce(services, url_of(listener), name)
                manager.ready()
            await _first_of(stop.wait(), ended)
            manager.stopping()


def _stop_signal() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; a second one ends the program at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    return stop


@contextlib.asynccontextmanager
async def _running(
    web: WebServer, worker: WorkerProcess | None, database: Database, services: Services
) -> AsyncIterator[asyncio.Task[None]]:
    """Web server, worker and a look at the database, for as long as the block lasts; yields the web server's task."""
    serving = asyncio.create_task(web.run_until_stopped(), name="web server")
    watching = asyncio.create_task(_keep_database(database), name="database")
    working = asyncio.create_task(worker.run(), name="worker") if worker else None
    try:
        yield serving
    finally:
        watching.cancel()
        await services.events.close()  # open event streams would keep the web server from stopping
        await services.resumable.close()
        web.should_exit = True
        if worker is not None and working is not None:
            await worker.stop()
            await working
        await asyncio.gather(watching, return_exceptions=True)
        await serving


async def _first_of(waiting: Any, serving: asyncio.Task[None]) -> None:
    """Wait for something, or for the end of the web server, whose failure is then raised."""
    task = asyncio.ensure_future(waiting)
    await asyncio.wait({task, serving}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    if serving.done():
        await serving


async def _announce(services: Services, url: str, name: str) -> None:
    """Let the commands of this machine in, and tell the person at the terminal how to come in.

    The token of the last start goes; that of another server with this database, which has another name, stays.
    """
    from varloom.services.data_folder import write_server_note

    owner = await services.accounts.ensure_owner()
    token = await services.accounts.replace_token(owner.id, TOKEN_LABEL.format(name=name))
    await asyncio.to_thread(write_server_note, services.settings.data, url, token)
    if logs_json():  # whoever gathers the lines must not be able to log in by one
        click.echo(ready_line(url))
        sys.stdout.flush()
        return
    link = await services.accounts.create_login_link(owner.id)
    minutes = services.settings.login_link_minutes
    click.echo(f"Log in at {url}/login#{link}")
    click.echo(f"  (the link works once, within {minutes:g} minutes; `varloom login` prints a new one)")
    click.echo(f"Varloom is ready at {url}")
    sys.stdout.flush()


async def _keep_database(database: Database) -> None:
    """Start the embedded database again should it die."""
    while True:
        await asyncio.sleep(DATABASE_LOOK_INTERVAL)
        try:
            await asyncio.to_thread(database.ensure_running)
        except Exception:
            logger.exception("The database is down and could not be started.")


def _worker_process(settings: Settings, database: Database) -> WorkerProcess:
    """A worker with the same settings; what only flags said is passed on, the database's address unseen by others."""
    from varloom.services.worker_process import WorkerProcess

    slots = ",".join(f"{stage}={count}" for stage, count in settings.slots.items())
    command = [sys.executable, "-m", "varloom", "worker", "--data", str(settings.data), "--slots", slots]
    if settings.storage is not None:
        command += ["--storage", settings.storage]
    if settings.scratch is not None:
        command += ["--scratch", str(settings.scratch)]
    if logging.getLogger("varloom").level == logging.INFO:
        command.append("--verbose")
    environment = {name: value for name, value in os.environ.items() if name.upper() != SERVERS_SECRET}
    if settings.database_url is not None:
        environment["VARLOOM_DATABASE_URL"] = settings.database_url
    return WorkerProcess(command, environment, database, settings.shutdown_grace)

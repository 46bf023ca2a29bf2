"""A real server over real HTTP, in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from api_support import Api, HandWorker

from varloom.db.database import Database
from varloom.services.container import open_services
from varloom.settings import Settings
from varloom.web.app import create_app
from varloom.web.server import WebServer, bind, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from conftest import MakeAccount


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", disk_reserve_bytes=0, max_upload_bytes=5_000_000)


@pytest.fixture
async def api(database_url: str, settings: Settings, make_account: MakeAccount) -> AsyncIterator[Api]:
    async with contextlib.AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(settings, Database(database_url)))
        ready = asyncio.Event()
        app = create_app(settings, lambda: contextlib.nullcontext(services))
        listener = bind("127.0.0.1", 0)
        web = WebServer(app, listener, ready.set)
        serving = asyncio.create_task(web.run_until_stopped())
        async with asyncio.timeout(20):
            await ready.wait()
        clients = await stack.enter_async_context(contextlib.AsyncExitStack())
        yield Api(url_of(listener), services, make_account, clients)
        await clients.aclose()
        await services.events.close()
        web.should_exit = True
        await serving


@pytest.fixture
async def worker(api: Api) -> HandWorker:
    return await HandWorker(api.services.pool, api.services.storage).start()

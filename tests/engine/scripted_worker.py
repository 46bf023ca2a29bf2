"""A worker in a process of its own whose stages play scripts: `python -m tests.engine.scripted_worker URL OPTIONS`.

OPTIONS is a JSON object: `slots`; optionally `statements`, a folder with the SQL of an older version, which it says
instead of ours; and what else `WorkerOptions` has. It works until SIGTERM, or until its parent has gone.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from functools import partial
from pathlib import Path

from tests.engine.conftest import WORKER_OPTIONS, ScriptedBackend

from varloom.db.pool import listen, open_pool
from varloom.jobs import statements
from varloom.jobs.lifecycle import Stage
from varloom.jobs.worker import Worker, WorkerOptions


def speak_as(folder: Path) -> None:
    """Say the statements of an older version, as far as it had them."""
    ours = statements.statement.__wrapped__

    def theirs(name):
        path = folder / f"{name}.sql"
        return path.read_text() if path.exists() else ours(name)

    statements.statement.cache_clear()
    for module in [module for name, module in sys.modules.items() if name.startswith("varloom.jobs")]:
        if hasattr(module, "statement"):
            module.statement = theirs


async def main(url, given):
    if "statements" in given:
        speak_as(Path(given.pop("statements")))
    slots = {Stage(stage): count for stage, count in given.pop("slots").items()}
    options = WorkerOptions(**{**WORKER_OPTIONS, "slots": slots, **given})

    async with open_pool(url, max_size=12) as pool:
        worker = Worker(pool, ScriptedBackend(), options, partial(listen, url))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))

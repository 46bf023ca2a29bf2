"""The queue: slots by stage, what waits, what is paused; and for owners the workers, and pausing."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from varloom.errors import counted
from varloom.services.engine_choices import TITLES
from varloom.services.views import PauseView, QueueView, StageQueueView, WorkerView
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.pages.formatting import about, moment
from varloom.web.pages.job_segments import STAGE_NAMES
from varloom.web.pages.rendering import page

SILENT = 12.0
"""Seconds without a heartbeat from which on a worker is shown as silent."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class StageCard:
    """How one stage stands. `pause` is why nothing of it is begun; None when it is not paused."""

    key: str
    name: str
    busy: int
    total: int
    slots: str
    waits: str
    pause: str | None


@dataclass(frozen=True, slots=True)
class PauseRow:
    """One thing that is paused, and the query by which it is resumed."""

    what: str
    reason: str | None
    since: str
    since_iso: str
    stage: str
    account: str


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker. `engines` are those for reads, each with why it cannot run; None if it can."""

    host: str
    pid: int
    version: str
    slots: tuple[str, ...]
    engines: tuple[tuple[str, str | None], ...]
    at_once: int | None
    low_disk: str | None
    started: str
    started_iso: str
    heard: str
    silent: bool


@router.get("/queue")
async def queue_page(request: Request, services: CurrentServices, account: CurrentAccount) -> HTMLResponse:
    """The queue as it stands."""
    return await _page(request, await services.queue.overview(account), is_owner=account.role == "owner")


@router.post("/queue/pause")
async def pause(
    request: Request, services: CurrentServices, account: CurrentAccount, stage: str | None = None
) -> HTMLResponse:
    """Begin nothing more of a stage."""
    return await _page(request, await services.queue.pause(account, stage=stage), is_owner=True)


@router.post("/queue/resume")
async def resume(
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    stage: str | None = None,
    name: str | None = None,
) -> HTMLResponse:
    """Let a stage, or an account's jobs, begin again."""
    found = await services.queue.resume(account, stage=stage or None, name=name or None)
    return await _page(request, found, is_owner=True)


async def _page(request: Request, queue: QueueView, *, is_owner: bool) -> HTMLResponse:
    paused = {one.stage: one for one in queue.pauses if one.stage is not None}
    return await page(
        request,
        "queue.html",
        section="jobs",
        is_owner=is_owner,
        stages=[_card(stage, paused.get(stage.stage)) for stage in queue.stages],
        pauses=[_pause_row(one) for one in queue.pauses],
        workers=None if queue.workers is None else [_worker_row(worker) for worker in queue.workers],
        at=moment(datetime.now(UTC)),
    )


def _card(stage: StageQueueView, pause: PauseView | None) -> StageCard:
    waits = [counted(stage.waiting, "job") + (" waits" if stage.waiting == 1 else " wait")]
    if stage.delayed:
        waits.append(f"{stage.delayed:,} for a retry")
    return StageCard(
        key=stage.stage,
        name=STAGE_NAMES[stage.stage][0],
        busy=stage.busy,
        total=stage.total,
        slots=f"{stage.busy:,} of {counted(stage.total, 'slot')} in use" if stage.total else "No slots",
        waits=", ".join(waits),
        pause=None if pause is None else pause.reason or "",
    )


def _pause_row(pause: PauseView) -> PauseRow:
    what = f"Stage {STAGE_NAMES[pause.stage][0]}" if pause.stage else f"Account {pause.account}"
    since, iso = moment(pause.paused_at), pause.paused_at.isoformat()
    return PauseRow(what, pause.reason, since, iso, pause.stage or "", pause.account or "")


def _worker_row(worker: WorkerView) -> WorkerRow:
    return WorkerRow(
        host=worker.host,
        pid=worker.pid,
        version=worker.version,
        slots=tuple(
            f"{STAGE_NAMES[stage][0]} {worker.busy.get(stage, 0)}/{number}" for stage, number in worker.slots.items()
        ),
        engines=tuple(
            (f"{TITLES.get(one.name, one.name)} {one.version or ''}".strip(), one.reason) for one in worker.engines
        ),
        at_once=worker.stages_at_once,
        low_disk=worker.low_disk,
        started=moment(worker.started_at),
        started_iso=worker.started_at.isoformat(),
        heard="just now" if worker.heartbeat_age < SILENT else f"{about(worker.heartbeat_age)} ago",
        silent=worker.heartbeat_age >= SILENT,
    )

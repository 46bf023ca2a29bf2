"""The worker: hears of tickets, claims stages, runs them in child processes, settles them, and looks after the dead."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import uuid
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from procrastinate.exceptions import ConnectorException

from varloom import __version__, tracing
from varloom.cancelling import CANCEL_PATIENCE, cancel_all
from varloom.db.pool import Notification, Reconnected, single_statements
from varloom.errors import INTERNAL_ERROR, VarloomError
from varloom.failpoints import failpoint
from varloom.jobs import line, repository
from varloom.jobs.attempt import Attempt, failure
from varloom.jobs.attempt_log import AttemptLog
from varloom.jobs.child import ChildPool
from varloom.jobs.lifecycle import Stage
from varloom.jobs.needs import NOTHING, Offer
from varloom.jobs.outcome import Cancelled, Failed, Outcome, Released, Succeeded, code_of
from varloom.jobs.places import Places
from varloom.jobs.queue import channel
from varloom.jobs.rescue import Rescuer
from varloom.jobs.settle import Publisher, settle
from varloom.log_lines import add_to_process, bound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.jobs.model import Claim, HeldStage, Job

logger = logging.getLogger(__name__)

DATABASE_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, ConnectorException)
"""What a database that is down or restarting looks like; it is waited for."""

TICKET_POLL_INTERVAL = 1.0
"""Seconds between two looks for tickets that became due without a notification, such as retries."""

CANCEL_CHANNEL = "varloom_cancel"
"""Where the ids of jobs are told that users want cancelled."""

LONGEST_WAIT = 5.0
"""Seconds; the longest pause between two tries to reach a database that is away."""

DISK_INTERVAL = 2.0
"""Seconds between two looks at the space of this machine's disks."""

OFFER_INTERVAL = 30.0
"""Seconds between two looks at what this machine has for secondary analysis: programs may be installed meanwhile."""

SETTLE_PATIENCE = 5.0
"""Seconds that a stopping worker has, after the grace, to return what runs; what it cannot, rescue will."""


class Backend(Publisher, Protocol):
    """What the stages are: the worker runs them without knowing."""

    @property
    def child_module(self) -> str:
        """The module whose `__main__` runs stages in a child process."""
        ...

    @property
    def plan_version(self) -> int:
        """The newest version of plans that it knows."""
        ...

    def offer(self) -> Offer:
        """What this machine has for secondary analysis; it blocks, and may be asked again and again."""
        ...

    def request(self, claim: Claim) -> dict[str, Any]:
        """What the child needs to run the claimed stage, as JSON."""
        ...

    def clear(self, claim: Claim) -> None:
        """Remove what a child left on this machine that did not come to the end of its attempt."""
        ...

    def discard(self, claim: Claim) -> None:
        """Remove what an attempt left that will never be adopted."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works; durations in seconds (the settings of the same names)."""

    slots: Mapping[Stage, int]
    retry_delay: float
    heartbeat_interval: float
    worker_timeout: float
    rescue_interval: float
    stall_limit: float
    shutdown_grace: float
    stall_limits: Mapping[Stage, float] = field(default_factory=dict)  # of stages that have one of their own
    stages_at_once: int | None = None  # over all kinds; None: as many as there are slots

    def stall_limit_of(self, stage: Stage) -> float:
        """Seconds without progress after which a stage is stopped."""
        return self.stall_limits.get(stage, self.stall_limit)


@dataclass
class _Slot:
    """A slot at work: its stage, and how often tickets of it had been told of when it looked last; None: look again."""

    stage: Stage
    heard: int | None = None


class Worker:
    """One worker process. `run` works until `stop` is called."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        backend: Backend,
        options: WorkerOptions,
        notices: Callable[[Sequence[str]], AsyncGenerator[Notification | Reconnected]],
        low_disk: Callable[[], str | None] | None = None,
    ) -> None:
        """Prepare a worker.

        Args:
            pool: connections to the database.
            backend: the stages.
            options: slots and durations.
            notices: the notifications of these channels for ever, as `varloom.db.pool.listen` tells them.
            low_disk: says which disk has too little space, or None; it blocks. While one has, nothing is begun.
        """
        self.id = uuid.uuid4()
        self._pool = pool
        self._backend = backend
        self._options = options
        self._notices = notices
        self._children = ChildPool(backend.child_module)
        self._free = {stage: count for stage, count in options.slots.items() if count > 0}
        self._look_for_low_disk = low_disk
        self._low_disk: str | None = None
        self._noted: tuple[uuid.UUID, str | None] | None = None  # of which worker the database knows which low disk
        self._offer = Offer(serves=())  # nothing is claimed before it is known
        self._told: Counter[Stage] = Counter()  # how often tickets of the stage were heard of
        self._places = Places(options.stages_at_once)
        self._suspect = asyncio.Lock()  # held while a suspect runs, or may be about to
        self._attempts: set[Attempt] = set()
        self._serving: dict[uuid.UUID, AttemptLog] = {}  # by attempt token, from the claim to the settlement
        self._strays: set[uuid.UUID] = set()
        self._at_work: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._releasing = False
        self._rescuer = Rescuer(
            pool,
            backend,
            interval=options.rescue_interval,
            worker_timeout=options.worker_timeout,
            retry_delay=options.retry_delay,
        )

    def stop(self) -> None:
        """Ask the worker to end: nothing new is claimed, what runs has the grace to finish, then it is returned."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`; then finish or return what runs, and leave the registry."""
        registering = asyncio.create_task(self._patiently("register", partial(self._register, self.id)))
        await self._until_stopped_or_ended([registering])
        if self._stopping.is_set():
            await cancel_all([registering])
            return
        background: list[asyncio.Task[None]] = []
        try:
            await self._children.warm()
            if self._look_for_low_disk is not None:  # before anything is begun
                self._low_disk = await asyncio.to_thread(self._look_for_low_disk)
            background += [asyncio.create_task(loop) for loop in self._loops()]
            await self._until_stopped_or_ended(background)
        finally:
            await self._shut_down(background)

    def _loops(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on in the background; the heartbeat is the first."""
        return [
            self._every(self._options.heartbeat_interval, "heartbeat", self._heartbeat),
            self._every(self._options.rescue_interval, "rescue", self._rescuer.step),
            self._every(TICKET_POLL_INTERVAL, "notices", self._hear),
            self._every(TICKET_POLL_INTERVAL, "tickets", self._look_for_tickets),
            *([self._every(DISK_INTERVAL, "disks", self._look_at_disks)] if self._look_for_low_disk else []),
            *([self._every(OFFER_INTERVAL, "engines", self._look_at_engines)] if Stage.PROCESS in self._free else []),
        ]

    async def _until_stopped_or_ended(self, tasks: list[asyncio.Task[None]]) -> None:
        """Wait for the request to stop, or for the end of a task, whose error is raised."""
        stopping = asyncio.create_task(self._stopping.wait())
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for task in done - {stopping}:
            task.result()

    async def _shut_down(self, background: list[asyncio.Task[None]]) -> None:
        """Stop receiving, let stages finish within the grace, return the others, end the children.

        Nothing here waits without a limit: a worker has to end also while the database is away.
        """
        self._stopping.set()
        beating, others = background[:1], background[1:]  # the heartbeat goes on until the last stage is settled
        await asyncio.gather(cancel_all(others), _end_of(self._at_work, self._options.shutdown_grace))
        self._releasing = True
        for attempt in self._attempts:
            attempt.release()
        await _end_of(self._at_work, SETTLE_PATIENCE)
        await cancel_all([*beating, *self._at_work])
        await self._children.close()
        with contextlib.suppress(*DATABASE_AWAY):
            async with self._pool.connection(timeout=CANCEL_PATIENCE) as conn:
                await repository.stop_worker(conn, self.id)

    # --- Tickets, claims, attempts ---

    async def _hear(self) -> None:
        """Look for work whenever a ticket is told of, and stop what users cancel, as soon as they do.

        What was told before the listening began, or in a gap of it, is looked for; cancels are by the next heartbeat.
        """
        stages = {channel(stage): stage for stage in self._free}
        async with contextlib.aclosing(self._notices([CANCEL_CHANNEL, *stages])) as notices:
            async for notice in notices:
                match notice:
                    case Reconnected():
                        await self._look_for_tickets()
                    case Notification(channel=told) if told in stages:
                        self._wake(stages[told])
                    case Notification():
                        self._cancel(uuid.UUID(notice.payload))

    async def _look_for_tickets(self) -> None:
        """Find tickets that became due without being told of."""
        stages = [stage for stage, free in self._free.items() if free]
        async with self._pool.connection() as conn, single_statements(conn):
            due = await repository.due_tickets(conn, stages)
        for stage, tickets in due.items():
            self._wake(stage, tickets)

    def _wake(self, stage: Stage, tickets: int = 1) -> None:
        """Let a free slot look for work for each ticket. Slots that are at work look when they have ended.

        While a disk is low the tickets stay where they are, and are found when it has space.
        """
        if self._low_disk is not None:
            return
        self._told[stage] += 1
        for _ in range(min(tickets, self._free[stage])):
            self._free[stage] -= 1
            task = asyncio.create_task(self._serve(stage))
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)

    async def _serve(self, stage: Stage) -> None:
        """In a slot: one stage after the other, until nothing waits, nor was told of while it was looked for."""
        slot = _Slot(stage)
        try:
            while slot.heard != self._told[stage] and not self._stopping.is_set() and self._low_disk is None:
                async with self._places.place(stage):
                    await self._serve_best(slot)
        except Exception:
            logger.exception("the %s queue: its work could not be taken; trying again", stage.value)
        finally:
            self._free[stage] += 1

    async def _serve_best(self, slot: _Slot) -> None:
        """Claim, run, settle, as long as the slot may go on at once."""
        claim = await self._one_suspect(partial(self._claim, slot))
        while claim is not None:
            job = claim.job
            with bound(job_id=job.id, stage=claim.stage.value, attempt=job.attempt, account_id=job.account_id):
                claim = await self._run_and_settle(slot, claim)

    async def _one_suspect(self, claiming: Callable[..., Awaitable[Claim | None]]) -> Claim | None:
        """Claim what `claiming` does, which is told whether it may be a suspect: one runs, lest they die together.

        Who has a suspect holds the lock until it has ended.
        """
        if self._suspect.locked():
            return await claiming(suspects=False)
        claim = None
        async with contextlib.AsyncExitStack() as held:
            await held.enter_async_context(self._suspect)
            claim = await claiming(suspects=True)
            if claim is not None and claim.job.suspected_at is not None:
                held.pop_all()
        return claim

    async def _run_and_settle(self, slot: _Slot, claim: Claim) -> Claim | None:
        """What the slot goes on with. Whatever goes wrong, the claim is not forgotten: nobody else would settle it."""
        self._serving[claim.token] = AttemptLog()
        try:
            failpoint("worker.after_claim")
            outcome = await self._run(claim)
            failpoint("worker.before_settle")
            return await self._settle_patiently(slot, claim, outcome)
        finally:
            del self._serving[claim.token]
            if claim.job.suspected_at is not None:
                self._suspect.release()

    async def _settle_patiently(self, slot: _Slot, claim: Claim, outcome: Outcome) -> Claim | None:
        """Settle at once and claim what the slot goes on with; or settle as soon as it is possible."""
        if self._may_go_on(claim, outcome):
            try:
                return await self._one_suspect(partial(self._settle_and_claim, slot, claim, outcome))
            except DATABASE_AWAY:
                logger.warning("job %s: its stage could not be settled at once", claim.job.id)
            except VarloomError as error:  # the storage does not give the result back, for example
                outcome = Failed(error.as_dict(claim.stage.value))
            except Exception:
                logger.exception("job %s: its stage could not be settled together with the next claim", claim.job.id)
        slot.heard = None
        await self._patiently("settle", partial(self._settle, claim, outcome), through=(Exception,))
        return None

    def _may_go_on(self, claim: Claim, outcome: Outcome) -> bool:
        """Whether the slot may claim the next job while it settles this one: not where others come first."""
        is_suspect = claim.job.suspected_at is not None
        return (
            isinstance(outcome, Succeeded)
            and not is_suspect
            and not self._stopping.is_set()
            and self._low_disk is None
            and not self._places.are_bounded
        )

    async def _settle_and_claim(self, slot: _Slot, claim: Claim, outcome: Outcome, *, suspects: bool) -> Claim | None:
        """Settle a stage and claim the next one in one transaction: they wait for the disk once."""
        slot.heard = self._told[slot.stage]
        async with self._pool.connection() as conn:
            job = await self._settle_in(conn, claim, outcome)
            following = await repository.claim(
                conn,
                slot.stage,
                self.id,
                plan_version=self._backend.plan_version,
                suspects=suspects,
                serves=self._serves(slot.stage),
                after=claim.job.account_id,
            )
        if job is not None:
            logger.info("job %s: %s", job.id, job.message)
        return following

    async def _claim(self, slot: _Slot, *, suspects: bool) -> Claim | None:
        """Claim the best waiting job; a database that is away keeps the job, and its ticket, waiting."""
        known = self._backend.plan_version
        slot.heard = self._told[slot.stage]
        try:
            async with self._pool.connection() as conn, single_statements(conn):
                return await repository.claim(
                    conn, slot.stage, self.id, plan_version=known, suspects=suspects, serves=self._serves(slot.stage)
                )
        except DATABASE_AWAY:
            logger.warning("nothing can be claimed while the database is away")
            return None

    def _serves(self, stage: Stage) -> Sequence[str] | None:
        """The needs that this worker meets, for a stage whose jobs can have any."""
        return self._offer.serves if stage is Stage.PROCESS else None

    async def _run(self, claim: Claim) -> Outcome:
        """Run the claimed stage to its outcome; whatever fails, it is an outcome."""
        log, limit = self._serving[claim.token], self._options.stall_limit_of(claim.stage)
        attempt = Attempt(claim, log, self._pool, stall_limit=limit)
        self._attempts.add(attempt)
        if self._releasing:
            attempt.release()
        logger.info("job %s: %s stage, attempt %d", claim.job.id, claim.stage.value, claim.job.attempt)
        outcome: Outcome | None = None
        facts = {"attempt": claim.job.attempt, "account_id": claim.job.account_id, "worker": self.id}
        try:
            with tracing.attempt(claim.job.id, claim.stage.value, **facts) as span:
                outcome = await self._outcome_of(attempt)
                span.tell(outcome=type(outcome).__name__.lower(), failed=code_of(outcome))
        finally:
            self._attempts.discard(attempt)
            if not isinstance(outcome, Succeeded):  # a child that comes to its end clears up itself
                await asyncio.to_thread(self._backend.clear, claim)
        return outcome

    async def _outcome_of(self, attempt: Attempt) -> Outcome:
        claim = attempt.claim
        try:
            return await attempt.run(self._children, self._backend.request)
        except VarloomError as error:
            return Failed(error.as_dict(claim.stage.value))
        except Exception:
            logger.exception("job %s: the %s stage failed unexpectedly", claim.job.id, claim.stage.value)
            return failure(
                INTERNAL_ERROR, "The server failed unexpectedly; its log has the details.", claim.stage.value
            )

    async def _settle(self, claim: Claim, outcome: Outcome) -> None:
        """Settle the attempt; a result that cannot be published or stored is a failure of its own."""
        try:
            job = await self._settle_as(claim, outcome)
        except DATABASE_AWAY:
            raise
        except VarloomError as error:  # the storage does not give the result back, for example
            outcome = Failed(error.as_dict(claim.stage.value))
            job = await self._settle_as(claim, outcome)
        except Exception:
            logger.exception("job %s: the result of its %s stage cannot be settled", claim.job.id, claim.stage.value)
            message = "The result could not be kept; the server's log has the details."
            outcome = failure(INTERNAL_ERROR, message, claim.stage.value)
            job = await self._settle_as(claim, outcome)
        if job is None:  # settled by someone else, or by us before the connection broke: the folder may be in use
            return
        logger.info("job %s: %s", job.id, job.message)
        if isinstance(outcome, Failed | Cancelled | Released):
            await self._discard(claim)

    async def _settle_as(self, claim: Claim, outcome: Outcome) -> Job | None:
        """Settle the attempt in a transaction of its own."""
        async with self._pool.connection() as conn:
            return await self._settle_in(conn, claim, outcome)

    async def _settle_in(self, conn: AsyncConnection[Any], claim: Claim, outcome: Outcome) -> Job | None:
        """Settle the attempt, with its log, in the transaction of the connection."""
        delay, log = self._options.retry_delay, self._serving[claim.token].text
        return await settle(conn, claim, outcome, self._backend, retry_delay=delay, log=log)

    async def _discard(self, claim: Claim) -> None:
        """Remove what the attempt left; what cannot be removed now is swept later."""
        try:
            failpoint("discard.before")
            await asyncio.to_thread(self._backend.discard, claim)
            failpoint("discard.after")
        except Exception:
            logger.exception("job %s: what an attempt left could not be removed yet", claim.job.id)

    # --- Background loops: each has one step that can be called alone ---

    async def _register(self, worker_id: uuid.UUID) -> None:
        """Enter the registry of workers, with what this machine has."""
        add_to_process(worker=worker_id)
        self._offer = await self._offered()
        async with self._pool.connection() as conn:
            await repository.register_worker(
                conn,
                worker_id,
                host=socket.gethostname(),
                pid=os.getpid(),
                version=__version__,
                slots=self._options.slots,
                plan_version=self._backend.plan_version,
                stages_at_once=self._options.stages_at_once,
                offer=self._offer,
            )

    async def _offered(self) -> Offer:
        """What this machine has for secondary analysis; of no interest without slots for it."""
        if Stage.PROCESS not in self._options.slots:
            return Offer(serves=(NOTHING,))
        return await asyncio.to_thread(self._backend.offer)

    async def _look_at_engines(self) -> None:
        """Tell when programs came or went; the jobs that waited for them have tickets by the next round of rescue."""
        found = await self._offered()
        if found == self._offer:
            return
        logger.info("the engines of this machine have changed: %s", [dict(engine) for engine in found.engines])
        self._offer = found
        async with self._pool.connection() as conn:
            await repository.change_offer(conn, self.id, found)

    async def _look_at_disks(self) -> None:
        """Begin nothing more while a disk is low, and say so; go on when it has space. What runs goes on."""
        before = self._low_disk
        if self._look_for_low_disk is not None:
            self._low_disk = await asyncio.to_thread(self._look_for_low_disk)
        if (before is None) != (self._low_disk is None) or self._noted is None:
            if self._low_disk is not None:
                logger.warning("the worker begins nothing more: %s", self._low_disk)
            elif before is not None:
                logger.warning("the disks have space again; the worker goes on")
                await self._look_for_tickets()
        if self._noted != (noted := (self.id, self._low_disk)):
            async with self._pool.connection() as conn:
                await line.note_low_disk(conn, *noted)
            self._noted = noted

    async def _heartbeat(self) -> None:
        """Say that we live, and hear what is ours and what of it users want cancelled."""
        async with self._pool.connection() as conn:
            known = await repository.beat(conn, self.id)
            held = await repository.claims_of(conn, self.id)
        for stage in held:
            if stage.cancel_requested:
                self._cancel(stage.job_id)
        if known:
            await self._return_strays(held)
        else:
            await self._start_anew()

    async def _start_anew(self) -> None:
        """Given up for dead: all claims are lost, or will be in a moment."""
        logger.warning("worker %s was given up for dead; it drops its work and registers anew", self.id)
        for attempt in self._attempts:
            attempt.lose()
        new_id = uuid.uuid4()
        await self._register(new_id)
        self.id = new_id

    async def _return_strays(self, held: Sequence[HeldStage]) -> None:
        """Return the stages that are ours without our knowing.

        Their claims were committed, but the connection broke before the answer came. A claim that has not been heard of
        from one heartbeat to the next never will be.
        """
        unknown = {stage.token for stage in held} - self._serving.keys()
        strays, self._strays = unknown & self._strays, unknown
        for stage in held:
            if stage.token in strays:
                async with self._pool.connection() as conn:
                    claim = await repository.job_of_claim(conn, stage.job_id, stage.stage, stage.token)
                    if claim is not None:
                        logger.warning("job %s: a claim that was never heard of is returned", stage.job_id)
                        released = Released("The connection broke when it was about to begin.")
                        await settle(conn, claim, released, self._backend, retry_delay=self._options.retry_delay)

    def _cancel(self, job_id: uuid.UUID) -> None:
        """Cancel the job's attempt, if it runs here; a lost one of the same job may be ending beside it."""
        for attempt in self._attempts:
            if attempt.claim.job.id == job_id:
                attempt.cancel()

    async def _every(self, interval: float, name: str, step: Callable[[], Awaitable[object]]) -> None:
        """Call a step for ever, `interval` seconds apart, whatever fails: no error of one round ends the worker."""
        while True:
            try:
                await step()
            except DATABASE_AWAY:
                logger.warning("%s: the database is away; trying again", name)
            except Exception:
                logger.exception("%s failed unexpectedly; trying again", name)
            await asyncio.sleep(interval)

    async def _patiently(
        self,
        name: str,
        action: Callable[[], Coroutine[Any, Any, None]],
        *,
        through: tuple[type[Exception], ...] = DATABASE_AWAY,
    ) -> None:
        """Do something that must be done, however long the database is away or the errors `through` come."""
        wait = 0.1
        while True:
            try:
                return await action()
            except through as error:
                unknown = None if isinstance(error, DATABASE_AWAY) else error
                logger.warning("%s: not possible now; trying again in %g s", name, wait, exc_info=unknown)
                await asyncio.sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)


async def _end_of(tasks: set[asyncio.Task[None]], patience: float) -> None:
    """Wait until tasks have ended, but not longer than the patience."""
    if tasks:
        await asyncio.wait(tasks, timeout=patience)

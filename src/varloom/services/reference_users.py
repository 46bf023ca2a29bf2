"""Removing a release that jobs may need: who works with it has pinned it, and who waits is in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg.rows import dict_row

from varloom.annotation.refs.library import told
from varloom.annotation.refs.problems import REFERENCE_IN_USE
from varloom.db.database import open_database
from varloom.db.embedded import has_database
from varloom.errors import VarloomError, counted, safe_excerpt
from varloom.processing.reference_choice import GENOME_KIND, chosen_reference
from varloom.services.references import open_library

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from varloom.annotation.model import ReleaseKey
    from varloom.settings import Settings

_MOST_TOLD = 5
_WAITING: LiteralString = """
SELECT id, sample_name, options FROM jobs
WHERE finished_at IS NULL AND 'process' = ANY (plan) AND options ->> 'reads' = 'true' AND NOT artefacts ? 'process'
ORDER BY created_at, id
"""
"""The jobs whose reads are not analysed yet, of all accounts."""


def remove_release(settings: Settings, key: ReleaseKey, *, force: bool) -> None:
    """Take a release away; with `force` also from jobs that have chosen it: they fail with `reference_genome_missing`.

    Where there is a database, a genome is kept for the jobs that wait or work with it. Without one only those that work
    with it are known, by their pins.

    Raises:
        VarloomError: `reference_missing`, `reference_in_use`; `database_unreachable` and its like while nobody can say
            what waits.
    """
    library = open_library(settings)
    if not force and key.kind == GENOME_KIND and library.has(key):
        jobs = _jobs_that_chose(settings, key, library.newest_first())
        if jobs:
            named = ", ".join(f"{safe_excerpt(name, 60)} ({job_id})" for job_id, name in jobs[:_MOST_TOLD])
            more = f" and {len(jobs) - _MOST_TOLD:,} more" if len(jobs) > _MOST_TOLD else ""
            needed = (
                f"{counted(len(jobs), 'job')} that {'waits or works' if len(jobs) == 1 else 'wait or work'} with it"
            )
            raise VarloomError(REFERENCE_IN_USE, f"{told(key)} is needed by {needed}: {named}{more}.")
    library.remove(key, force=force)


def _jobs_that_chose(settings: Settings, key: ReleaseKey, installed: Sequence[ReleaseKey]) -> list[tuple[UUID, str]]:
    """The jobs that will align to a genome, or do, by what their options mean now."""
    if settings.database_url is None and not has_database(settings.data):
        return []
    with open_database(settings) as database, psycopg.connect(database.conninfo, row_factory=dict_row) as conn:
        try:
            rows = conn.execute(_WAITING).fetchall()
        except psycopg.errors.UndefinedTable:  # no server has been started with it yet
            return []
    return [(row["id"], row["sample_name"]) for row in rows if _means(row["options"], installed) == key]


def _means(options: dict[str, str | None], installed: Sequence[ReleaseKey]) -> ReleaseKey | None:
    try:
        return chosen_reference(installed, options.get("reference"), options.get("assembly"))
    except VarloomError:
        return None

"""From a file to `pgx.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from varloom.processing.pgx.model import PgxMade, PgxWanted, Report


def call_pgx(wanted: PgxWanted, report: Report) -> PgxMade:
    """Call the genes of the definitions for every sample of a file, and write `pgx.json`.

    Raises:
        VarloomError: `FileRefused` with the line of a malformed file; `assembly_needed`, `pgx_wrong_assembly`,
            `pgx_needs_genotypes`, `pgx_sample_unknown`, `outside_calls_malformed`, `pgx_definitions_missing`; those of
            the disk. Whatever `report` raises.
    """
    raise NotImplementedError

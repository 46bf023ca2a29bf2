"""Every importer, a line each: by the kind of the release and, where that decides, by its name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from varloom.annotation.refs.importer import Importer


class ImporterEntry(NamedTuple):
    """Where an importer lives.

    Attributes:
        where: `MODULE:FUNCTION`; it is imported when it is used.
        version: raised when the files that it writes change; it goes into `release.json`.
        folders: what its files lie in, below the folder that was given or beside one of this name.
    """

    where: str
    version: int = 1
    folders: tuple[str, ...] = ()

    def load(self) -> Importer:
        """The importer."""
        module, _, name = self.where.partition(":")
        importer: Importer = getattr(importlib.import_module(f"varloom.annotation.refs.{module}"), name)
        return importer


IMPORTERS: Mapping[tuple[str, str | None], ImporterEntry] = {
    ("genes", None): ImporterEntry("gene_model:import_genes"),
    ("mane", None): ImporterEntry("mane:import_mane"),
    ("fasta", None): ImporterEntry("fasta:import_fasta"),
    ("structural", None): ImporterEntry("structural_sites:import_structural_sites"),
    ("dosage", None): ImporterEntry("dosage:import_dosage"),
    ("pgx", "pharmcat"): ImporterEntry("pgx_pharmcat:import_pharmcat", folders=("definition", "phenotype")),
    ("pgx", "cpic"): ImporterEntry("pgx_cpic:import_cpic"),
    ("pgx", "guidance"): ImporterEntry("pgx_guidance:import_guidance", folders=("reporter",)),
    ("variants", "clinvar"): ImporterEntry("variants:import_clinvar"),
    ("variants", "gnomad"): ImporterEntry("variants:import_gnomad"),
    ("variants", "dbsnp"): ImporterEntry("variants:import_dbsnp", version=2),
    ("scores", "revel"): ImporterEntry("scores:import_revel"),
    ("scores", "cadd"): ImporterEntry("scores:import_cadd"),
    ("scores", "alphamissense"): ImporterEntry("scores:import_alphamissense"),
    ("scores", "spliceai"): ImporterEntry("scores:import_spliceai"),
}
"""By kind and name; the name None serves all names of the kind that are not listed."""


def importer_of(kind: str, name: str) -> ImporterEntry | None:
    """The importer of a kind of release with this name; None if there is none."""
    return IMPORTERS.get((kind, name)) or IMPORTERS.get((kind, None))

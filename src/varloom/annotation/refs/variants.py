"""The importers of kind `variants`: ClinVar, gnomAD and dbSNP, each from the VCF that is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from varloom.annotation.refs.columns_text import as_count, as_float, missing_as_null
from varloom.annotation.refs.rs_numbers import write_rs_index
from varloom.annotation.refs.site_writer import Merge
from varloom.annotation.refs.vcf_sites import VcfShape, import_vcf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.annotation.refs.importer import Imported, ImportTask
    from varloom.annotation.refs.vcf_sites import Alleles

_STARS = {
    "practice_guideline": 4,
    "reviewed_by_expert_panel": 3,
    "criteria_provided,_multiple_submitters,_no_conflicts": 2,
    "criteria_provided,_multiple_submitters": 2,
    "criteria_provided,_conflicting_interpretations": 1,
    "criteria_provided,_conflicting_classifications": 1,
    "criteria_provided,_single_submitter": 1,
}
"""Stars of a review status; all others have none. Source: ClinVar, "Review status"."""
_TEXT = pa.string()


def import_clinvar(task: ImportTask) -> Imported:
    """`clinvar.vcf.gz`: one row for each record, which has one variation."""
    return import_vcf(task, _CLINVAR)


def import_gnomad(task: ImportTask) -> Imported:
    """The sites VCFs of gnomAD 2, 3 and 4 (exomes, genomes or joint): one row for each allele."""
    return import_vcf(task, _GNOMAD)


def import_dbsnp(task: ImportTask) -> Imported:
    """The VCF of dbSNP (`GCF_000001405.40.gz`): one row for each allele, with all its rs numbers, and their index."""
    imported = import_vcf(task, _DBSNP)
    total = sum(path.stat().st_size for path in task.sources)
    write_rs_index(task.folder, task.scratch, lambda: task.on_progress(total, total))
    return imported


def _clinvar(alleles: Alleles) -> Sequence[pa.Array]:
    status = alleles.text("CLNREVSTAT")
    stars = pc.index_in(status, value_set=pa.array(list(_STARS)))
    return (
        alleles.text("CLNSIG"),
        status,
        pc.if_else(status.is_valid(), pc.fill_null(pa.array(list(_STARS.values()), pa.int8()).take(stars), 0), None),
        alleles.text("CLNDN"),
        missing_as_null(alleles.fixed("ID")),
        alleles.text("CLNSIGCONF"),
    )


def _gnomad(alleles: Alleles) -> Sequence[pa.Array]:
    unused = alleles.unused
    total = alleles.text("AN_joint") if "AN_joint" in alleles.keys else alleles.text("AN")
    return (
        as_float(alleles.per_allele("AF", "AF_joint"), "AF", unused),
        as_float(alleles.per_allele("AF_popmax", "AF_grpmax", "AF_grpmax_joint"), "AF_popmax", unused),
        alleles.per_allele("popmax", "grpmax", "grpmax_joint"),
        as_count(alleles.per_allele("nhomalt", "nhomalt_joint"), "nhomalt", unused),
        as_count(alleles.per_allele("AC", "AC_joint"), "AC", unused),
        as_count(total, "AN", unused),
        missing_as_null(alleles.fixed("FILTER")),
    )


def _dbsnp(alleles: Alleles) -> Sequence[pa.Array]:
    return (missing_as_null(alleles.fixed("ID")),)


_CLINVAR = VcfShape(
    fields=(
        pa.field("significance", _TEXT),
        pa.field("review_status", _TEXT),
        pa.field("stars", pa.int8()),
        pa.field("conditions", _TEXT),
        pa.field("variation_id", _TEXT),
        pa.field("conflicting", _TEXT),
    ),
    merge=Merge(joined=("significance", "review_status", "conditions", "variation_id", "conflicting")),
    values=_clinvar,
)
_GNOMAD = VcfShape(
    fields=(
        pa.field("af", pa.float64()),
        pa.field("af_popmax", pa.float64()),
        pa.field("popmax", _TEXT),
        pa.field("homozygotes", pa.int32()),
        pa.field("ac", pa.int32()),
        pa.field("an", pa.int32()),
        pa.field("filter", _TEXT),
    ),
    merge=Merge(best_by="ac"),
    values=_gnomad,
)
_DBSNP = VcfShape(fields=(pa.field("id", _TEXT),), merge=Merge(joined=("id",)), values=_dbsnp)

"""What full annotation needs for each assembly, and where it is published.

Addresses, licences and sizes are shown to people as they were known when this version was made; docs/decisions.md tells
which of them were looked up. What the publisher says holds. Nothing here is ever fetched by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.refs.release import Release
    from varloom.genomics.assemblies import Assembly

_MB = 1000**2
_GB = 1000**3
_PUBLIC = "public domain (United States government)"
_NON_COMMERCIAL = "free for non-commercial use; ask the publisher for any other"


class Publication(NamedTuple):
    """Where something is published for one assembly, and how large it is."""

    url: str
    bytes: int


class CatalogueEntry(NamedTuple):
    """One thing that full annotation needs.

    Attributes:
        kind: of the release.
        name: of the release; `any_name` tells whether another will do.
        title: for people.
        gives: what it adds to a table, for people.
        licence: in words, as the publisher tells it.
        published: by assembly; an assembly that it is not published for has none.
        any_name: whether any release of the kind meets the need.
    """

    kind: str
    name: str
    title: str
    gives: str
    licence: str
    published: Mapping[Assembly, Publication]
    any_name: bool = False


_ENSEMBL = "https://ftp.ensembl.org/pub"
_NCBI = "https://ftp.ncbi.nlm.nih.gov"
_GNOMAD = "https://gnomad.broadinstitute.org/downloads"
_GNOMAD_SV = "https://storage.googleapis.com/gcp-public-data--gnomad/release/4.1/genome_sv/gnomad.v4.1.sv.sites.vcf.gz"
_CLINGEN = "https://ftp.clinicalgenome.org/ClinGen_gene_curation_list"

CATALOGUE: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        "fasta",
        "genome",
        "Reference genome",
        "consequences, HGVS, and indels matched wherever a file writes them",
        "free of restrictions",
        {
            "GRCh38": Publication(
                f"{_NCBI}/genomes/all/GCA/000/001/405/GCA_000001405.15_GRCh38/seqs_for_alignment_pipelines.ucsc_ids/"
                "GCA_000001405.15_GRCh38_no_alt_analysis_set.fna.gz",
                900 * _MB,
            ),
            "GRCh37": Publication(
                f"{_ENSEMBL}/grch37/current/fasta/homo_sapiens/dna/Homo_sapiens.GRCh37.dna.primary_assembly.fa.gz",
                850 * _MB,
            ),
        },
        any_name=True,
    ),
    CatalogueEntry(
        "genes",
        "ensembl",
        "Gene models (Ensembl or RefSeq GFF3)",
        "genes, transcripts, consequences and HGVS",
        "free of restrictions",
        {
            "GRCh38": Publication(f"{_ENSEMBL}/current_gff3/homo_sapiens/", 55 * _MB),
            "GRCh37": Publication(f"{_ENSEMBL}/grch37/current/gff3/homo_sapiens/", 45 * _MB),
        },
        any_name=True,
    ),
    CatalogueEntry(
        "mane",
        "mane",
        "MANE summary",
        "the transcript that clinicians report by",
        _PUBLIC,
        {"GRCh38": Publication(f"{_NCBI}/refseq/MANE/MANE_human/current/", 2 * _MB)},
    ),
    CatalogueEntry(
        "variants",
        "clinvar",
        "ClinVar",
        "clinical significance, review status and conditions",
        _PUBLIC,
        {
            "GRCh38": Publication(f"{_NCBI}/pub/clinvar/vcf_GRCh38/clinvar.vcf.gz", 180 * _MB),
            "GRCh37": Publication(f"{_NCBI}/pub/clinvar/vcf_GRCh37/clinvar.vcf.gz", 180 * _MB),
        },
    ),
    CatalogueEntry(
        "variants",
        "gnomad",
        "gnomAD sites",
        "allele frequencies and homozygotes",
        "CC0 1.0",
        {
            "GRCh38": Publication(f"{_GNOMAD}#v4", 700 * _GB),
            "GRCh37": Publication(f"{_GNOMAD}#v2", 60 * _GB),
        },
    ),
    CatalogueEntry(
        "variants",
        "dbsnp",
        "dbSNP",
        "rs numbers",
        _PUBLIC,
        {
            "GRCh38": Publication(f"{_NCBI}/snp/latest_release/VCF/GCF_000001405.40.gz", 28 * _GB),
            "GRCh37": Publication(f"{_NCBI}/snp/latest_release/VCF/GCF_000001405.25.gz", 26 * _GB),
        },
    ),
    CatalogueEntry(
        "scores",
        "revel",
        "REVEL",
        "a score of missense variants",
        _NON_COMMERCIAL,
        {
            "GRCh38": Publication("https://sites.google.com/site/revelgenomics/downloads", 650 * _MB),
            "GRCh37": Publication("https://sites.google.com/site/revelgenomics/downloads", 650 * _MB),
        },
    ),
    CatalogueEntry(
        "scores",
        "cadd",
        "CADD",
        "a score of all single-base variants",
        _NON_COMMERCIAL,
        {
            "GRCh38": Publication("https://cadd.gs.washington.edu/download", 81 * _GB),
            "GRCh37": Publication("https://cadd.gs.washington.edu/download", 78 * _GB),
        },
    ),
    CatalogueEntry(
        "scores",
        "alphamissense",
        "AlphaMissense",
        "a score of missense variants",
        "CC BY 4.0",
        {
            "GRCh38": Publication("https://zenodo.org/records/10813168", 640 * _MB),
            "GRCh37": Publication("https://zenodo.org/records/10813168", 620 * _MB),
        },
    ),
    CatalogueEntry(
        "scores",
        "spliceai",
        "SpliceAI",
        "scores of changed splice sites",
        _NON_COMMERCIAL,
        {
            "GRCh38": Publication("https://basespace.illumina.com/s/otSPW8hnhaZR", 28 * _GB),
            "GRCh37": Publication("https://basespace.illumina.com/s/otSPW8hnhaZR", 27 * _GB),
        },
    ),
    CatalogueEntry(
        "structural",
        "gnomad-sv",
        "gnomAD structural variants",
        "frequencies of structural variants",
        "CC0 1.0",
        {
            "GRCh38": Publication(_GNOMAD_SV, 3 * _GB),
            "GRCh37": Publication(f"{_GNOMAD}#v2-structural-variants", 250 * _MB),
        },
    ),
    CatalogueEntry(
        "dosage",
        "clingen",
        "ClinGen dosage sensitivity",
        "whether one or three copies of a gene do harm, and the class of copy-number variants",
        "CC0 1.0",
        {
            "GRCh38": Publication(f"{_CLINGEN}_GRCh38.tsv", 1 * _MB),
            "GRCh37": Publication(f"{_CLINGEN}_GRCh37.tsv", 1 * _MB),
        },
    ),
    CatalogueEntry(
        "pgx",
        "pharmcat",
        "PGx allele definitions (PharmCAT)",
        "star alleles and phenotypes: PGx calling",
        "CC BY-SA 4.0 (ClinPGx)",
        {
            "GRCh38": Publication(
                "https://github.com/PharmGKB/PharmCAT/tree/main/src/main/resources/org/pharmgkb/pharmcat", 12 * _MB
            ),
        },
    ),
    CatalogueEntry(
        "pgx",
        "cpic",
        "CPIC tables (of the package pypgx)",
        "what CPIC recommends for each drug, and phenotypes that definitions lack",
        "CC0 1.0 (CPIC); MIT (pypgx)",
        {"GRCh38": Publication("https://github.com/sbslee/pypgx/tree/master/pypgx/api/data", 2 * _MB)},
    ),
    CatalogueEntry(
        "pgx",
        "guidance",
        "CPIC guidance with its strength (ClinPGx, by PharmCAT)",
        "how strong each recommendation of CPIC is, for whom, and what the phenotype implies",
        "CC BY-SA 4.0 (ClinPGx)",
        {
            "GRCh38": Publication(
                "https://github.com/PharmGKB/PharmCAT/blob/main/src/main/resources/org/pharmgkb/pharmcat/reporter/"
                "prescribing_guidance.json",
                10 * _MB,
            ),
        },
    ),
)


def missing(assembly: Assembly, installed: Iterable[Release]) -> list[CatalogueEntry]:
    """What full annotation of an assembly needs, is published for it, and is not installed."""
    have = [release for release in installed if release.assembly == assembly and not release.key.is_demo]
    return [
        entry
        for entry in CATALOGUE
        if assembly in entry.published
        and not any(one.kind == entry.kind and (entry.any_name or one.name == entry.name) for one in have)
    ]


def title_of(key: ReleaseKey) -> str:
    """What people call a release; its name for what the catalogue does not have."""
    named = {(entry.kind, entry.name): entry.title for entry in CATALOGUE if not entry.any_name}
    return named.get((key.kind, key.name), key.name)


def licence_of(key: ReleaseKey) -> str | None:
    """The licence of a release, by what it is called; None for what the catalogue does not have."""
    return next((entry.licence for entry in CATALOGUE if (entry.kind, entry.name) == (key.kind, key.name)), None)

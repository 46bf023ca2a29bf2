"""Importers of gnomAD-SV and of ClinGen's lists, on small files written here in the published formats."""

from __future__ import annotations

import gzip

import pyarrow.parquet as pq
import pytest

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.dosage import DOSAGE, NO_PLACE, NO_SCORE, SHORT, import_dosage
from varloom.annotation.refs.importer import ImportTask
from varloom.annotation.refs.structural_sites import NO_END, NO_TYPE, SITES, import_structural_sites
from varloom.errors import VarloomError


@pytest.fixture
def run(tmp_path):
    """Import texts as published files; gives what the importer says, and the rows that it wrote."""

    def importing(importer, *texts, assembly="GRCh38", packed=False):
        folder = tmp_path / "release"
        folder.mkdir()
        sources = []
        for at, text in enumerate(texts):
            path = tmp_path / f"published-{at}.{'vcf' if text.startswith('##fileformat') else 'tsv'}"
            path = path.with_name(path.name + ".gz") if packed else path
            path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
            sources.append(path)
        progress = []
        key = ReleaseKey("structural", "x", assembly, "1")
        task = ImportTask(
            key, tuple(sources), folder, tmp_path, None, lambda done, total: progress.append((done, total))
        )
        imported = importer(task)
        assert progress[-1][0] == progress[-1][1]
        assert {type(counts) for counts in imported[:3]} == {dict}
        (written,) = folder.iterdir()
        return imported, pq.read_table(written)

    return importing


# --- gnomAD-SV --------------------------------------------------------------------------------------------------------

V2 = """##fileformat=VCFv4.2
##contig=<ID=1,length=249250621>
##contig=<ID=X,length=155270560>
##INFO=<ID=AF,Number=A,Type=Float,Description="Allele frequency">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO
1	10642	gnomAD-SV_v2.1_BND_1_1	N	<BND>	261	UNRESOLVED	END=10643;SVTYPE=BND;SVLEN=-1;CHR2=15;POS2=10642;END2=10643;AN=21366;AC=145;AF=0.006786;N_HOMALT=5;POPMAX_AF=0.02
X	20000	gnomAD-SV_v2.1_INS_1_1	N	<INS:ME:ALU>	461	PASS	END=20001;SVTYPE=INS;SVLEN=281;AN=21000;AC=3;AF=0.00014;N_HOMALT=0;MALE_AF=0.5;POPMAX_AF=0.0003
1	21000	gnomAD-SV_v2.1_DEL_1_1	N	<DEL>	999	PASS	END=26000;SVTYPE=DEL;SVLEN=5000;PROTEIN_CODING__INTERGENIC;AN=8586;AC=138;AF=0.016073;N_HOMALT=0;AFR_AF=0.9;POPMAX_AF=0.03
1	46000	gnomAD-SV_v2.1_MCNV_1_1	N	<CN=0>,<CN=1>,<CN=2>,<CN=3>	999	MULTIALLELIC	END=111250;SVTYPE=MCNV;SVLEN=65250;AN=10307;AC=977,2784,3605,1829;AF=0.1,0.2,0.6,0.1
1	50000	gnomAD-SV_v2.1_DUP_1_9	N	<DUP>	1	LOW_CALL_RATE	END=40000;SVTYPE=DUP;SVLEN=5;AF=0.1
1	50000	gnomAD-SV_v2.1_x	N	<DUP>	1	PASS	END=60000;AF=0.1
"""  # noqa: E501 - as lines of a VCF are
V4 = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=248956422>
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO
chr1	10000	gnomAD-SV_v3_DUP_chr1_01c2781c	N	<DUP>	134	HIGH_NCR	ALGORITHMS=depth;END=295666;SVLEN=285666;SVTYPE=DUP;AC=2;AF=0.000123;AN=126092;N_HOMALT=0;GRPMAX_AF=0.004
chr1	20000	gnomAD-SV_v3_CNV_chr1_1	N	<CNV>	134	PASS	END=25000;SVLEN=5000;SVTYPE=CNV;CN_NUMBER=3;CN_COUNT=1,0,2;CN_NONREF_FREQ=0.25
chr1	30000	gnomAD-SV_v3_CPX_chr1_1	N	<CPX>	134	PASS	END=35000;SVLEN=7000;SVTYPE=CPX;CPX_TYPE=delINV;AC=1;AF=0.5;AN=2;N_HOMALT=0
"""  # noqa: E501 - as lines of a VCF are


def test_gnomad_2(run):
    imported, table = run(import_structural_sites, V2, assembly="GRCh37", packed=True)
    assert table.schema.equals(SITES)
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert rows == [
        ("1", 10642, 10642, None, "BND", "gnomAD-SV_v2.1_BND_1_1", 0.006786, 0.02, 145, 21366, 5, "UNRESOLVED"),
        ("1", 21001, 26000, 5000, "DEL", "gnomAD-SV_v2.1_DEL_1_1", 0.016073, 0.03, 138, 8586, 0, "PASS"),
        ("1", 46001, 111250, 65250, "CNV", "gnomAD-SV_v2.1_MCNV_1_1", 0.4, None, 977, 10307, None, "MULTIALLELIC"),
        ("X", 20000, 20000, 281, "INS", "gnomAD-SV_v2.1_INS_1_1", 0.00014, 0.0003, 3, 21000, 0, "PASS"),
    ]
    assert imported.counts == {"records": 6, "rows": 4}
    assert imported.contigs == {"1": 3, "X": 1}
    assert imported.unused == {NO_END: 1, NO_TYPE: 1}


def test_gnomad_4(run):
    imported, table = run(import_structural_sites, V4)
    found = {row["type"]: row for row in table.to_pylist()}
    assert (found["DUP"]["start"], found["DUP"]["length"], found["DUP"]["af_popmax"]) == (10001, 285666, 0.004)
    assert (found["CNV"]["af"], found["CNV"]["contig"]) == (0.25, "1")
    assert (found["CPX"]["start"], found["CPX"]["end"]) == (30001, 35000)
    assert imported.unused == {}


@pytest.mark.parametrize(
    ("text", "assembly", "code"),
    [
        (V2, "GRCh38", "reference_wrong_assembly"),
        (V4, "GRCh37", "reference_wrong_assembly"),
        (V4.replace("#CHROM", "CHROM"), "GRCh38", "reference_malformed"),
        (V4.partition("chr1\t10000")[0], "GRCh38", "reference_malformed"),
        ("##fileformat=VCFv4.2\n", "GRCh38", "reference_malformed"),
    ],
)
def test_other_files_are_refused(run, text, assembly, code):
    with pytest.raises(VarloomError) as refused:
        run(import_structural_sites, text, assembly=assembly)
    assert refused.value.code == code


# --- ClinGen ----------------------------------------------------------------------------------------------------------

PMIDS = [f"{what} PMID{n}" for what in ("Haploinsufficiency", "Triplosensitivity") for n in range(1, 7)]
SCORES = [
    "Genomic Location",
    "Haploinsufficiency Score",
    "Haploinsufficiency Description",
    *PMIDS[:6],
    "Triplosensitivity Score",
    "Triplosensitivity Description",
    *PMIDS[6:],
    "Date Last Evaluated",
    "Haploinsufficiency Disease ID",
    "Triplosensitivity Disease ID",
]


def published(first, rows, assembly="GRCh38 (hg38): GCF_000001405.36"):
    lines = [
        "#ClinGen Curation Results",
        "#21 Nov,2023",
        f"#Genomic Locations are reported on {assembly}",
        "#https://www.ncbi.nlm.nih.gov/projects/dbvar/clingen",
        "#" + "\t".join([*first, "cytoBand", *SCORES]),
    ]
    for names, place, hi, ts in rows:
        lines.append(
            "\t".join([*names, "1p1", place, hi, "words", *[""] * 6, ts, "other", *[""] * 6, "2020-01-02", "", ""])
        )
    return "\n".join(lines) + "\n"


GENES = published(
    ["Gene Symbol", "Gene ID"],
    [
        (["TBX1", "6899"], "chr22:19756703-19783593", "2", "0"),
        (["NF1", "4763"], "chr17:31094927-31377677", "3", "Not yet evaluated"),
        (["ODD", "1"], "tbd", "unheard of", "40"),
    ],
)
REGIONS = published(
    ["ISCA ID", "ISCA Region Name"],
    [(["ISCA-37446", "22q11.2 recurrent region"], "chr22:18,924,718 - 20,299,685", "3", "30")],
)


def test_genes_and_regions(run):
    imported, table = run(import_dosage, GENES + "SHORT\t1\n", REGIONS)
    assert table.schema.equals(DOSAGE)
    rows = [tuple(row.values())[:8] for row in table.to_pylist()]
    assert rows == [
        ("gene", "4763", "NF1", "17", 31094927, 31377677, 3, None),
        ("region", "ISCA-37446", "22q11.2 recurrent region", "22", 18924718, 20299685, 3, 30),
        ("gene", "6899", "TBX1", "22", 19756703, 19783593, 2, 0),
        ("gene", "1", "ODD", None, None, None, None, 40),
    ]
    assert table["evaluated"].to_pylist() == ["2020-01-02"] * 4
    assert imported.counts == {"rows": 4, "genes": 3, "regions": 1}
    assert imported.unused == {NO_PLACE: 1, NO_SCORE: 1, SHORT: 1}
    assert imported.contigs == {"17": 1, "22": 2}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (published(["Gene Symbol", "Gene ID"], [], "GRCh37 (hg19)"), "reference_wrong_assembly"),
        (published(["Gene Symbol", "Gene ID"], []), "reference_malformed"),
        (GENES.replace("#Gene Symbol", "#Symbol"), "reference_malformed"),
        ("TBX1\t1\n", "reference_malformed"),
    ],
)
def test_other_lists_are_refused(run, text, code):
    with pytest.raises(VarloomError) as refused:
        run(import_dosage, text)
    assert refused.value.code == code

"""Scores that predict what a variant does: REVEL, CADD, AlphaMissense and SpliceAI."""

from __future__ import annotations

import pyarrow as pa

from varloom.annotation.lookups.source import LookupSource
from varloom.annotation.model import AnnotationColumn
from varloom.annotation.source import Need

REVEL = LookupSource(
    name="revel",
    title="REVEL",
    need=Need("scores", "revel"),
    fields=(
        AnnotationColumn(
            "score", pa.float64(), "Pathogenicity of a missense variant, 0 to 1; the highest over transcripts."
        ),
    ),
)
CADD = LookupSource(
    name="cadd",
    title="CADD",
    need=Need("scores", "cadd"),
    fields=(
        AnnotationColumn("phred", pa.float64(), "Deleteriousness, scaled: 20 is the top 1 %, 30 the top 0.1 %."),
        AnnotationColumn("raw", pa.float64(), "The raw score; it compares within one release only."),
    ),
)
ALPHAMISSENSE = LookupSource(
    name="alphamissense",
    title="AlphaMissense",
    need=Need("scores", "alphamissense"),
    fields=(
        AnnotationColumn(
            "score", pa.float64(), "Pathogenicity of a missense variant, 0 to 1; the highest over transcripts."
        ),
        AnnotationColumn("class", pa.string(), "The class of that score, in AlphaMissense's words."),
        AnnotationColumn("protein_variant", pa.string(), "The amino acid change of that score, such as `V2L`."),
    ),
)
SPLICEAI = LookupSource(
    name="spliceai",
    title="SpliceAI",
    need=Need("scores", "spliceai"),
    fields=(
        AnnotationColumn("gene", pa.string(), "The gene of the scores; the one with the highest, of several."),
        AnnotationColumn("ds_max", pa.float64(), "The highest of the four delta scores, 0 to 1."),
        AnnotationColumn("ds_ag", pa.float64(), "Delta score of the gain of an acceptor."),
        AnnotationColumn("ds_al", pa.float64(), "Delta score of the loss of an acceptor."),
        AnnotationColumn("ds_dg", pa.float64(), "Delta score of the gain of a donor."),
        AnnotationColumn("ds_dl", pa.float64(), "Delta score of the loss of a donor."),
        AnnotationColumn("dp_ag", pa.int64(), "Bases to the gained acceptor."),
        AnnotationColumn("dp_al", pa.int64(), "Bases to the lost acceptor."),
        AnnotationColumn("dp_dg", pa.int64(), "Bases to the gained donor."),
        AnnotationColumn("dp_dl", pa.int64(), "Bases to the lost donor."),
    ),
)

"""gnomAD: how frequent a variant is in people."""

from __future__ import annotations

import pyarrow as pa

from varloom.annotation.lookups.source import LookupSource
from varloom.annotation.model import AnnotationColumn
from varloom.annotation.source import Need

SOURCE = LookupSource(
    name="gnomad",
    title="gnomAD",
    need=Need("variants", "gnomad"),
    fields=(
        AnnotationColumn("af", pa.float64(), "Allele frequency over all genetic ancestry groups, 0 to 1."),
        AnnotationColumn(
            "af_popmax", pa.float64(), "The greatest allele frequency in a genetic ancestry group, 0 to 1."
        ),
        AnnotationColumn("popmax", pa.string(), "The genetic ancestry group with the greatest frequency."),
        AnnotationColumn("homozygotes", pa.int32(), "People who have the allele twice."),
        AnnotationColumn("ac", pa.int32(), "How often the allele was seen."),
        AnnotationColumn("an", pa.int32(), "How many alleles were called at the site."),
        AnnotationColumn("filter", pa.string(), "gnomAD's filters of the site, `PASS` if it passed all."),
    ),
)

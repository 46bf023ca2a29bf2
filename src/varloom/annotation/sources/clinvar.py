"""ClinVar: what is known of a variant's clinical significance."""

from __future__ import annotations

import pyarrow as pa

from varloom.annotation.lookups.source import LookupSource
from varloom.annotation.model import AnnotationColumn
from varloom.annotation.source import Need

SOURCE = LookupSource(
    name="clinvar",
    title="ClinVar",
    need=Need("variants", "clinvar"),
    fields=(
        AnnotationColumn("significance", pa.string(), "Classification in ClinVar (CLNSIG), in its own words."),
        AnnotationColumn("review_status", pa.string(), "Review status of the classification (CLNREVSTAT)."),
        AnnotationColumn("stars", pa.int8(), "Stars of the review status, 0 to 4."),
        AnnotationColumn("conditions", pa.string(), "Conditions of the classification (CLNDN), separated by `|`."),
        AnnotationColumn("variation_id", pa.string(), "ClinVar's variation id, as in its web address."),
        AnnotationColumn("conflicting", pa.string(), "The classifications that conflict, counted (CLNSIGCONF)."),
    ),
)

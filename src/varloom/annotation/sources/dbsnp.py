"""dbSNP: the rs numbers of a variant."""

from __future__ import annotations

import pyarrow as pa

from varloom.annotation.lookups.source import LookupSource
from varloom.annotation.model import AnnotationColumn
from varloom.annotation.source import Need

SOURCE = LookupSource(
    name="dbsnp",
    title="dbSNP",
    need=Need("variants", "dbsnp"),
    fields=(AnnotationColumn("id", pa.string(), "rs number; several are separated by `;`."),),
)

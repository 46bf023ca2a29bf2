"""Sites VCFs into `sites.parquet`: ClinVar, gnomAD, dbSNP; only the fields that are wanted are ever taken out.

INFO of gnomAD has hundreds of keys, and the published files break rules that the reader of uploads rightly insists on
(keys that the header does not declare, symbolic alleles without END). So lines are split at tabs, and the wanted keys
are searched for in INFO.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.annotation.refs.columns_text import info_field, missing_as_null, split_lines
from varloom.annotation.refs.site_import import SiteImport, Texts, columns_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from varloom.annotation.refs.importer import Imported, ImportTask
    from varloom.annotation.refs.site_writer import Merge

_FIXED = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_WANTED = ("#CHROM", "POS", "ID", "REF", "ALT", "FILTER", "INFO")
WRONG_NUMBER = "values per allele whose number is not that of the alleles"


class Alleles:
    """Records of a VCF, and their ALT alleles, one a row; all values are texts, missing where they are `.`.

    Attributes:
        keys: the INFO keys that the header declares, and those of the first records, which may be more.
        unused: what could not be used, counted by the reason.
    """

    def __init__(self, records: dict[str, pa.Array], keys: set[str], unused: Counter[str]) -> None:
        self.keys = keys
        self.unused = unused
        self._records = records
        lists = pc.split_pattern(records["ALT"], ",")
        self._counts = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
        self.alt = lists.flatten()
        self._parents = (
            None if len(self.alt) == len(lists) else pa.array(np.repeat(np.arange(len(lists)), self._counts))
        )

    def fixed(self, name: str) -> pa.StringArray:
        """A column of the record, as it is."""
        return self._spread(self._records[name])

    def text(self, key: str) -> pa.StringArray:
        """The text of an INFO key of the record."""
        return self._spread(info_field(self._records["INFO"], key))

    def per_allele(self, *keys: str) -> pa.StringArray:
        """This allele's text of the first of some INFO keys that the record has, which lists one for each allele."""
        known = [key for key in keys if key in self.keys]
        if not known:
            return pa.nulls(len(self.alt), pa.string())
        fields = [info_field(self._records["INFO"], key) for key in known]
        texts = fields[0] if len(fields) == 1 else pc.coalesce(*fields)
        return texts if self._parents is None and not _any_comma(texts) else self._one_each(texts)

    def _one_each(self, texts: pa.StringArray) -> pa.StringArray:
        lists = pc.split_pattern(texts, ",")
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
        fine = lengths == self._counts
        wrong = int((~fine & (lengths > 0)).sum())
        if wrong:
            self.unused[WRONG_NUMBER] += wrong
        begins = np.concatenate([[0], np.cumsum(np.where(fine, self._counts, 0))])[:-1]
        within = np.arange(len(self.alt)) - np.repeat(np.cumsum(self._counts) - self._counts, self._counts)
        places = np.repeat(begins, self._counts) + within
        flat = lists.filter(pa.array(fine)).flatten()
        return missing_as_null(flat.take(pa.array(places, mask=~np.repeat(fine, self._counts))))

    def _spread(self, values: pa.Array) -> pa.Array:
        """From a value for each record to one for each allele."""
        return values if self._parents is None else values.take(self._parents)


class VcfShape(NamedTuple):
    """What is taken out of a sites VCF.

    Attributes:
        fields: the columns.
        merge: what becomes of several rows of one variant.
        values: the columns of some alleles, in the order of `fields`.
    """

    fields: tuple[pa.Field, ...]
    merge: Merge
    values: Callable[[Alleles], Sequence[pa.Array]]


def import_vcf(task: ImportTask, shape: VcfShape) -> Imported:
    """Sites VCFs into sites.

    Raises:
        VarloomError: `reference_malformed`, `reference_wrong_assembly`.
    """
    with SiteImport(task, shape.fields, shape.merge) as work:
        for text in work.texts():
            header = text.comments()
            names = columns_of(text.next_line(), text.path, _FIXED)
            work.coordinates.check_header(header)
            keys: set[str] | None = None
            for chunk in text.chunks():
                records = split_lines(chunk, names, _WANTED, work.unused)
                keys = _keys_of(header, records["INFO"]) if keys is None else keys
                work.records += len(records["POS"])
                alleles = Alleles(records, keys, work.unused)
                place = [alleles.fixed(name) for name in ("#CHROM", "POS", "REF")]
                work.add(Texts(place[0], place[1], place[2], alleles.alt, shape.values(alleles)))
        return work.finish()


def _keys_of(header: Sequence[str], infos: pa.StringArray) -> set[str]:
    """The INFO keys that are declared or used: slices of published files often have only some declarations."""
    declared = {line[len("##INFO=<ID=") :].split(",", 1)[0] for line in header if line.startswith("##INFO=<ID=")}
    used = (pair.split("=", 1)[0] for info in infos.slice(0, 1000).to_pylist() for pair in info.split(";"))
    return declared | set(used)


def _any_comma(texts: pa.StringArray) -> bool:
    return bool(pc.any(pc.match_substring(texts, ",")).as_py())

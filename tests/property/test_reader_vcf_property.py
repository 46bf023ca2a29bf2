"""Made-up VCFs arrive cell by cell as they were written, however they are packed and cut, and by either parser."""

from __future__ import annotations

import pytest
import vcf_verifier
from hypothesis import given
from hypothesis import strategies as st
from hypothesis_vcf import vcf as plain_vcfs
from reading import all_carefully, bgzipped, gzipped, outcome
from vcf_strategies import examples, vcfs

from varloom.reader import FileRefused, ReadOptions, open_reader

SMALL = ["varloom.reader.portions.PORTION_BYTES", 1]
"""Every block and every member becomes a chunk of its own."""


def written(tmp_path, data, name="made.vcf"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@examples(150)
@given(text=vcfs())
def test_what_is_written_is_what_is_read(tmp_path, text):
    assert vcf_verifier.differences(written(tmp_path, text)) == []


@examples(50)
@given(text=plain_vcfs(max_alt_alleles=4, max_info_fields=5, max_format_fields=5, max_samples=20, max_variants=10))
def test_what_another_project_makes_up_is_what_is_read(tmp_path, text):
    assert vcf_verifier.differences(written(tmp_path, text)) == []


@examples(100)
@given(text=vcfs())
def test_both_parsers_agree(tmp_path, text):
    """The kernel reads what is plain, the careful parser what it leaves; each could read all of it, and warns alike."""
    path = written(tmp_path, text)
    usual = outcome(path)
    with pytest.MonkeyPatch.context() as patch:
        all_carefully(patch)
        assert outcome(path) == usual


@examples(100)
@given(
    text=vcfs(most_records=10),
    borders=st.lists(st.floats(0, 1), max_size=30),
    rows=st.sampled_from([1, 2, 3, 65_536]),
    threads=st.sampled_from([1, 2, 5]),
    pack=st.sampled_from([bgzipped, gzipped]),
)
def test_neither_packing_nor_chunks_nor_batches_nor_threads_change_anything(
    tmp_path, text, borders, rows, threads, pack
):
    data = text.encode()
    usual = outcome(written(tmp_path, data))
    path = written(tmp_path, pack(data, *(int(border * len(data)) for border in borders)), "made.vcf.gz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*SMALL)
        assert outcome(path, ReadOptions(batch_rows=rows, threads=threads)) == usual


@examples(50)
@given(text=vcfs())
def test_line_ends_change_nothing(tmp_path, text):
    usual = outcome(written(tmp_path, text))
    assert outcome(written(tmp_path, text.replace("\n", "\r\n"))) == usual
    cut = outcome(written(tmp_path, text[:-1]))
    warned = [warning for warning in cut["warnings"] if warning["code"] != "final_newline_missing"]
    assert len(warned) == len(cut["warnings"]) - 1
    assert {**cut, "warnings": warned} == usual


def test_a_refusal_in_the_middle_leaves_no_summary(tmp_path):
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    records = "".join(f"1\t{at}\t.\tA\tC\t.\t.\t.\n" for at in range(1, 40))
    reader = open_reader(written(tmp_path, f"{head}{records}1\tbroken\n"), options=ReadOptions(batch_rows=8))
    with pytest.raises(FileRefused) as refused:
        for _ in reader.batches():
            pass
    assert refused.value.place.line == 2 + 39 + 1

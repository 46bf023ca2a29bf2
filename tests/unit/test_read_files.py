"""Which files are of one sample, by their names."""

from __future__ import annotations

import pytest

from varloom.services.names import sample_name_from
from varloom.services.read_files import are_reads, sets_of

NAMES = {
    "NA12878_S1_L001_R1_001.fastq.gz": "NA12878",
    "NA12878_S1_L002_R2_001.fastq.gz": "NA12878",
    "ERR194147_1.fq.gz": "ERR194147",
    "run_2_x_R1.fq": "run_2_x",
    "HG002.R1.fastq": "HG002",
    "HG002.read2.fastq.bgz": "HG002",
    "sample.fastq": "sample",
    "x.y.bam": "x.y",
    "a.cram": "a",
}


@pytest.mark.parametrize(("name", "sample"), NAMES.items())
def test_a_sample_is_named_by_its_file_without_lane_and_mate(name, sample):
    assert are_reads(name)
    assert sample_name_from(name) == sample


def test_files_of_one_sample_become_one_job():
    names = ["a_R1.fq", "b_R1.fq", "a_R2.fq", "x.vcf", "y.vcf", "z.bam", "z.bam.bai", "b_R2.fq", "a_L002_R1.fq"]
    assert sets_of(names) == [(0, 2, 8), (1, 7), (3,), (4,), (5, 6)]
    assert not are_reads("table.csv")

"""How long a stage will take: only said where enough files like it have been."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from varloom.jobs.lifecycle import Stage
from varloom.services.stage_durations import Duration, Durations

if TYPE_CHECKING:
    from varloom.jobs.model import Job

MB = 1_000_000


def job(name: str, size: int | None) -> Job:
    return cast("Job", SimpleNamespace(source_name=name, source_bytes=size))


KNOWN = Durations(
    {
        Stage.PARSE: [
            *(Duration(packed=True, size=10 * MB, seconds=seconds) for seconds in (8.0, 10.0, 60.0)),
            *(Duration(packed=False, size=MB, seconds=1.0) for _ in range(2)),
        ]
    }
)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("a.vcf.gz", 10 * MB, 10.0),
        ("a.VCF.GZ", 20 * MB, 20.0),
        ("a.vcf.gz", 41 * MB, None),
        ("a.vcf.gz", 2 * MB, None),
        ("a.vcf", 10 * MB, None),
        ("a.vcf", MB, None),
        ("a.vcf.gz", None, None),
        ("a.vcf.gz", 0, None),
    ],
)
def test_a_stage_is_foretold_by_files_like_it(name: str, size: int | None, expected: float | None) -> None:
    assert KNOWN.expected(Stage.PARSE, job(name, size)) == expected
    assert KNOWN.expected(Stage.ANNOTATE, job(name, size)) is None

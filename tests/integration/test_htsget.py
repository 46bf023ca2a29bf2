"""Reads of one place of a CRAM, out of a folder and out of an object store, in parts and in bounds."""

from __future__ import annotations

import base64
import uuid

import pysam
import pytest

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.dataset.sample_files import SampleFile
from varloom.errors import VarloomError
from varloom.genomics.cram_index import CramIndex
from varloom.processing.cram import write_cram
from varloom.processing.model import Analysis, Caller, Reads, Reference
from varloom.services import htsget
from varloom.services.htsget import Htsget, Wanted
from varloom.storage import LocalCopies, LocalStorage
from varloom.storage.object_access import access_of
from varloom.storage.objects import ObjectStorage

KEY = ReleaseKey("fasta", "two", "GRCh38", "1")
LENGTHS = {"2": 60_000, "1": 50_000}
"""In an order that no genome has: contigs are told by their numbers in the file itself."""
BASES = 100


def genome(folder):
    """Made-up contigs that repeat themselves nowhere near."""
    fasta, state = folder / "two.fa", 7
    with fasta.open("w") as file:
        for name, length in LENGTHS.items():
            made = []
            for _ in range(length):
                state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                made.append("ACGT"[state >> 16 & 3])
            file.write(f">{name}\n{''.join(made)}\n")
    pysam.faidx(str(fasta))
    return fasta


@pytest.fixture(scope="module")
def cram(tmp_path_factory):
    """Three reads at every fifth base, of which one differs, so that there are several containers."""
    folder = tmp_path_factory.mktemp("cram")
    fasta = genome(folder)
    header = {
        "HD": {"VN": "1.6", "SO": "coordinate"},
        "SQ": [{"SN": name, "LN": length} for name, length in LENGTHS.items()],
    }
    bam = folder / "alignment.bam"
    with pysam.AlignmentFile(str(bam), "wb", header=header) as file, pysam.FastaFile(str(fasta)) as bases:
        for number, (name, length) in enumerate(LENGTHS.items()):
            text = bases.fetch(name)
            for start in range(0, length - BASES, 5):
                for copy in range(3):
                    read = pysam.AlignedSegment(file.header)
                    read.query_name, read.flag = f"{name}-{start}-{copy}", 16 * (copy == 1)
                    read.reference_id, read.reference_start, read.mapping_quality = number, start, 60
                    read.query_sequence = text[start : start + BASES - 1] + ("N" if copy else text[start + BASES - 1])
                    read.cigarstring = f"{BASES}M"
                    read.query_qualities = pysam.qualitystring_to_array("F" * BASES)
                    file.write(read)
    reference = Reference(fasta, folder, "GRCh38", "two 1")
    made = folder / "alignment.cram"
    write_cram(bam, Analysis(Reads(), reference, "s", Caller.BCFTOOLS, None, 2), made, folder, lambda: None)
    return made


@pytest.fixture(params=["local", "s3"])
def served(request, tmp_path, cram):
    """The service over a storage with the CRAM, its index and the genome; and where the two files lie."""
    if request.param == "local":
        storage = LocalStorage(tmp_path / "storage")
    else:
        store = request.getfixturevalue("s3")
        storage = ObjectStorage(access_of(f"{store.url}/htsget-{uuid.uuid4()}", store.environment))
    library = ReferenceLibrary(storage, LocalCopies(tmp_path / "copies", 10**9))
    install(library, KEY, Published(cram.with_name("two.fa"), excerpt=True), lambda *_: None)
    pair = []
    for role, path in (("alignment", cram), ("alignment_index", cram.with_name("alignment.cram.crai"))):
        key = f"processed/{uuid.uuid4()}/{uuid.uuid4()}/{path.name}"
        storage.write_bytes(key, path.read_bytes())
        pair.append(SampleFile(path.name, role, key, path.stat().st_size, None))
    return Htsget(storage, library), tuple(pair)


async def reads_at(served, tmp_path, *place):
    service, pair = served
    ticket = await service.ticket(pair, KEY, Wanted(*place))
    [block] = ticket.htsget.urls
    path = tmp_path / "place.bam"
    path.write_bytes(base64.b64decode(block.url.partition(",")[2]))
    with pysam.AlignmentFile(str(path)) as alignment:
        assert alignment.references == tuple(LENGTHS)
        return [read.to_string() for read in alignment.fetch(until_eof=True)]


async def test_the_reads_of_a_place_are_those_of_the_whole_file(served, cram, tmp_path, monkeypatch):
    service, pair = served
    asked = []
    read_range = service.storage.read_range
    monkeypatch.setattr(
        service.storage, "read_range", lambda key, start, end: asked.append(end - start) or read_range(key, start, end)
    )
    fasta = str(cram.with_name("two.fa"))
    with pysam.AlignmentFile(str(cram), reference_filename=fasta) as whole:
        for contig, start, end in (
            ("2", 0, 1),
            ("1", 20_000, 20_010),
            ("1", 49_999, None),
            ("2", 1000, 9000),
        ):
            asked.clear()
            there = [read.to_string() for read in whole.fetch(contig, start, end)]
            assert await reads_at(served, tmp_path, contig, start, end) == there
            assert sum(asked) < pair[0].bytes / 2, "no more is read than the containers of the place"
    assert await reads_at(served, tmp_path, None, 0, None) == []
    assert len(CramIndex(cram.with_name("alignment.cram.crai").read_bytes(), pair[0].bytes).ranges(0, 0, 10**6)) == 1


async def test_a_cut_is_bounded_and_what_is_broken_is_told(served, cram, tmp_path, monkeypatch):
    service, pair = served

    async def refused(*place, files=pair):
        with pytest.raises(VarloomError) as told:
            await service.ticket(files, KEY, Wanted(*place))
        return told.value.code

    assert await refused("", 0, 1) == "request_invalid"
    assert await refused("9", 0, 1) == "request_invalid"
    for name, value in (("MOST_READS", 10), ("MOST_BYTES", 10), ("SECONDS", 0.001)):
        with monkeypatch.context() as bounded:
            bounded.setattr(htsget, name, value)
            assert await refused("1", 1000, 2000) == "reads_place_too_large", name
    key = f"processed/{uuid.uuid4()}/{uuid.uuid4()}/alignment.cram"
    content = bytearray(cram.read_bytes())
    content[len(content) // 2 :: 97] = bytes(len(content[len(content) // 2 :: 97]))
    service.storage.write_bytes(key, bytes(content))
    assert await refused("1", 1000, 45_000, files=(pair[0]._replace(storage_key=key), pair[1])) == "reads_unreadable"
    assert await refused("1", 1, 2, files=(pair[0], pair[1]._replace(storage_key=key))) == "reads_unreadable"
    shorter = await refused("1", 1, 2, files=(pair[0]._replace(bytes=10**9), pair[1]))
    assert shorter in {"reads_unreadable", "storage_unusable"}  # stores tell it themselves
    gone = pair[0]._replace(storage_key="processed/none")
    assert await refused("1", 1, 2, files=(gone, pair[1])) == "sample_file_gone"
    service.library.remove(KEY, force=True)
    assert await refused("1", 1, 2) == "reference_missing"

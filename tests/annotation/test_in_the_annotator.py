"""The source in the process in which sources work, chosen by the releases that are there."""

from __future__ import annotations

import pyarrow as pa
from tests.annotation.made_genes import gff_of, made
from tests.annotation.opened import Row, batch_of, installed_genes, opened, task_of

from varloom.annotation.choice import choose
from varloom.annotation.model import VariantKind
from varloom.annotation.refs.fasta import import_fasta
from varloom.annotation.source import InstalledRelease
from varloom.annotation.worker_process import AnnotatorProcess, Piece


def test_the_annotator_says_what_the_source_says(tmp_path):
    genome, genes = made(genes=2)
    gff = tmp_path / "genes.gff3"
    gff.write_text(gff_of(genes))
    release, _ = installed_genes(gff, tmp_path / "genes")
    published = tmp_path / "genome.fa"
    published.write_text(f">chr1 made\n{genome}\n")
    task = task_of("fasta", [published], tmp_path / "fasta")._replace(scratch=tmp_path, excerpt=True)
    import_fasta(task)
    fasta = InstalledRelease(task.key, task.folder)
    folders = {one.key: one for one in (release, fasta)}
    chosen = [item.with_folders(folders) for item in choose(VariantKind.SMALL, "GRCh38", list(folders)).planned]
    assert [item.source.name for item in chosen] == ["csq"]
    first, last = genes[0].cds[0]
    rows = [
        Row("chr1", place, genome[place - 1], "ACGT"["TACG".index(genome[place - 1])]) for place in range(first, last)
    ]
    batch = batch_of([*rows, Row("chr9", 5, "A", "C")])
    chunk, output = tmp_path / "chunk.arrow", tmp_path / "output.arrow"
    with pa.OSFile(str(chunk), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)
    signs = []
    process = AnnotatorProcess(chosen, tmp_path, lambda: signs.append(1))
    try:
        (aside,) = process.annotate(Piece("csq", chunk, 0, batch.num_rows, output), 60)
    finally:
        process.stop()
    assert tuple(aside) == (len(rows), "The reference does not have the contig 9.")
    with pa.memory_map(str(output)) as file, opened(release, fasta, tmp_path / "scratch") as source:
        assert pa.ipc.open_file(file).get_batch(0).equals(source.annotate(batch, lambda: None).columns)
    assert signs

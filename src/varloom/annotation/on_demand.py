"""Annotating a few variants at once, by the same sources as whole files: a process is kept warm for the next ones."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pyarrow as pa

from varloom.annotation.choice import choose
from varloom.annotation.model import VARIANTS, VariantKind
from varloom.annotation.problems import REFERENCE_DATA_MISSING, VARIANT_NOT_UNDERSTOOD
from varloom.annotation.refs.genome import Genome
from varloom.annotation.variant_text import WrittenVariant, is_rs_number, parse_variant
from varloom.annotation.worker_process import AnnotatorProcess, Piece, PieceFailedError
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from varloom.annotation.choice import Chosen
    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.refs.library import ReferenceLibrary
    from varloom.annotation.source import InstalledRelease
    from varloom.genomics.assemblies import Assembly

MOST_VARIANTS = 1000
"""That are annotated at once; more are a file."""
STALL_LIMIT = 60.0
"""Seconds without a sign of life after which a source is given up."""
IDLE = 600.0
"""Seconds after which the process of an assembly ends that nobody has asked."""


class OnDemand(NamedTuple):
    """What is known of one variant.

    Attributes:
        input: as it was written.
        variant: as it was understood; None if it was not.
        error: why it was not, or could not be annotated.
        values: by column; none for a variant that could not be annotated.
        aside: by source, why that one says nothing.
    """

    input: str
    variant: WrittenVariant | None
    error: VarloomError | None
    values: dict[str, Any]
    aside: dict[str, str]


class Annotators:
    """Warm annotators, one for each assembly. All methods may be called by any thread.

    Args of the constructor:
        library: the installed releases.
        environment: of the processes; None for our own.
    """

    def __init__(self, library: ReferenceLibrary, environment: Mapping[str, str] | None = None) -> None:
        self._library = library
        self._environment = environment
        self._guard = threading.Lock()
        self._warm: dict[Assembly, _Warm] = {}

    def annotate(self, texts: Sequence[str], assembly: Assembly) -> tuple[list[OnDemand], tuple[ReleaseKey, ...]]:
        """What is known of small variants, in their order, and of which releases that is.

        Raises:
            VarloomError: `reference_data_missing`, or what keeps all of them from being annotated.
        """
        installed = self._library.newest_first()
        choice = choose(VariantKind.SMALL, assembly, installed)
        if not choice.planned:
            raise VarloomError(REFERENCE_DATA_MISSING, f"No reference data of {assembly} is installed here.")
        genome = next((key for key in installed if (key.kind, key.assembly) == ("fasta", assembly)), None)
        keys = tuple(sorted({*choice.keys, *([genome] if genome else [])}))
        with self._guard:
            warm = self._warm.pop(assembly, None)
            if warm is not None and warm.keys != keys:
                warm.close()
                warm = None
            warm = warm or _Warm(self._library, keys, self._environment)
            try:
                chosen = [item.with_folders(warm.folders) for item in choice.planned]
                found = warm.annotate(texts, assembly, chosen)
            except BaseException:
                warm.close()
                raise
            self._warm[assembly] = warm
            return found, choice.keys

    def end_idle(self) -> None:
        """End the processes that nobody has asked for long; their releases can be removed then."""
        with self._guard:
            for assembly, warm in list(self._warm.items()):
                if warm.used_at < time.monotonic() - IDLE:
                    self._warm.pop(assembly).close()

    def close(self) -> None:
        """End all."""
        with self._guard:
            while self._warm:
                self._warm.popitem()[1].close()


class _Warm:
    """The open sources of one assembly, and its genome."""

    def __init__(
        self, library: ReferenceLibrary, keys: tuple[ReleaseKey, ...], environment: Mapping[str, str] | None
    ) -> None:
        self.keys = keys
        self.used_at = time.monotonic()
        self._environment = environment
        self._process: AnnotatorProcess | None = None
        self._number = 0
        with contextlib.ExitStack() as held:
            self.folders: dict[ReleaseKey, InstalledRelease] = {
                key: held.enter_context(library.borrow(key)) for key in keys
            }
            self._scratch = Path(tempfile.mkdtemp(prefix="varloom-annotate-"))
            held.callback(shutil.rmtree, self._scratch, ignore_errors=True)
            genome = next((self.folders[key].folder for key in keys if key.kind == "fasta"), None)
            self._genome = held.enter_context(Genome(genome)) if genome is not None else None
            self._held = held.pop_all()

    def close(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def annotate(self, texts: Sequence[str], assembly: Assembly, chosen: Sequence[Chosen]) -> list[OnDemand]:
        """Understand each text, and annotate those that are understood together."""
        self.used_at = time.monotonic()
        understood: list[OnDemand] = []
        for text in texts:
            understood += self._understood(text, assembly)
        wanted = [(index, item.variant) for index, item in enumerate(understood) if item.variant is not None]
        if wanted:
            for (index, _), values, aside in zip(
                wanted, *self._looked_up([variant for _, variant in wanted], chosen), strict=True
            ):
                understood[index] = understood[index]._replace(values=values, aside=aside)
        return understood

    def _understood(self, text: str, assembly: Assembly) -> list[OnDemand]:
        """The variant of a text; an rs number may name several."""
        try:
            if is_rs_number(text):
                return [OnDemand(text, variant, None, {}, {}) for variant in self._of_rs_number(text.strip())]
            bases = self._genome.bases if self._genome is not None else None
            return [OnDemand(text, parse_variant(text, assembly, bases), None, {}, {})]
        except VarloomError as error:
            return [OnDemand(text, None, error, {}, {})]

    def _of_rs_number(self, text: str) -> list[WrittenVariant]:
        release = next((one for one in self.folders.values() if one.key.name == "dbsnp"), None)
        if release is None:
            message = f"{safe_excerpt(text, 40)} is a number of dbSNP, which is not installed here."
            raise VarloomError(VARIANT_NOT_UNDERSTOOD, message)
        found = variants_of_rs_number(release.folder, text)
        if not found:
            message = f"{safe_excerpt(text, 40)} is not in dbSNP {release.key.release}."
            raise VarloomError(VARIANT_NOT_UNDERSTOOD, message)
        return found

    def _looked_up(
        self, variants: Sequence[WrittenVariant], chosen: Sequence[Chosen]
    ) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """The values of each variant, and why a source says nothing of it."""
        if self._process is None:
            self._process = AnnotatorProcess(chosen, self._scratch, lambda: None, environment=self._environment)
        values: list[dict[str, Any]] = [{} for _ in variants]
        aside: list[dict[str, str]] = [{} for _ in variants]
        order = sorted(range(len(variants)), key=lambda index: (variants[index].contig, variants[index].position))
        self._number += 1
        given = self._scratch / f"variants-{self._number}.arrow"
        batch = _batch([variants[index] for index in order])
        with pa.OSFile(str(given), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)
        for item in chosen:
            output = self._scratch / f"found-{self._number}-{item.source.name}.arrow"
            piece = Piece(item.source.name, given, 0, len(variants), output)
            try:
                told = self._process.annotate(piece, STALL_LIMIT)
            except PieceFailedError as error:
                for each in aside:
                    each[item.source.name] = error.reason
                continue
            for rowno, reason in told:
                aside[order[rowno]][item.source.name] = reason
            with pa.OSFile(str(output)) as file:
                rows = pa.ipc.open_file(file).get_batch(0).to_pylist()
            output.unlink()
            for index, row in zip(order, rows, strict=True):
                values[index].update(row)
        given.unlink()
        return values, aside


def _batch(variants: Sequence[WrittenVariant]) -> pa.RecordBatch:
    values: dict[str, list[Any]] = {
        "rowno": list(range(len(variants))),
        "contig": [variant.contig for variant in variants],
        "position": [variant.position for variant in variants],
        "ref": [variant.ref for variant in variants],
        "alt": [variant.alt for variant in variants],
    }
    missing = [None] * len(variants)
    arrays = [pa.array(values.get(field.name, missing), field.type) for field in VARIANTS]
    return pa.RecordBatch.from_arrays(arrays, schema=VARIANTS)


def variants_of_rs_number(folder: Path, number: str) -> list[WrittenVariant]:
    """The variants that have this rs number, in a release of dbSNP; the whole file is looked through."""
    import pyarrow.compute as pc
    import pyarrow.dataset as pads

    from varloom.annotation.lookups.site_table import SITES

    wanted = number.lower()
    table = pads.dataset(folder / SITES).to_table(
        columns=["contig", "position", "ref", "alt", "id"],
        filter=pc.match_substring(pads.field("id"), wanted),
    )
    rows = [row for row in table.to_pylist() if wanted in row["id"].lower().split(";")]
    return [WrittenVariant(row["contig"], row["position"], row["ref"], row["alt"]) for row in rows]

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

from varloom.annotation.choice import choose, nothing_installed
from varloom.annotation.coding_text import is_coding_text, parse_coding
from varloom.annotation.model import VARIANTS, VariantKind
from varloom.annotation.named_transcripts import NamedTranscripts
from varloom.annotation.problems import REFERENCE_DATA_MISSING, VARIANT_NOT_UNDERSTOOD
from varloom.annotation.refs.genome import Genome
from varloom.annotation.refs.rs_numbers import rows_of_rs_number
from varloom.annotation.variant_text import WrittenVariant, is_rs_number, not_understood, parse_variant
from varloom.annotation.worker_process import AnnotatorProcess, Piece, PieceFailedError
from varloom.errors import VarloomError, safe_excerpt
from varloom.genomics.demonstration import is_demo_name

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
        is_synthetic: whether it is a variant of the demonstration, of which all that is known is made.
    """

    input: str
    variant: WrittenVariant | None
    error: VarloomError | None
    values: dict[str, Any]
    aside: dict[str, str]
    is_synthetic: bool = False


class Annotators:
    """Warm annotators, one for each assembly, and one for the demonstration. All methods may be called by any thread.

    Args of the constructor:
        library: the installed releases.
        environment: of the processes; None for our own.
    """

    def __init__(self, library: ReferenceLibrary, environment: Mapping[str, str] | None = None) -> None:
        self._library = library
        self._environment = environment
        self._guard = threading.Lock()
        self._warm: dict[tuple[Assembly, bool], _Warm] = {}

    def annotate(self, texts: Sequence[str], assembly: Assembly) -> tuple[list[OnDemand], tuple[ReleaseKey, ...]]:
        """What is known of small variants, in their order, and of which releases that is.

        Raises:
            VarloomError: `reference_data_missing`, or what keeps all of them from being annotated.
        """
        installed = self._library.newest_first()
        answers: list[list[OnDemand]] = [[] for _ in texts]
        used: set[ReleaseKey] = set()
        kinds = [is_demo_name(text) for text in texts]
        for demo in sorted(set(kinds)):
            mine = [index for index, kind in enumerate(kinds) if kind == demo]
            try:
                found, keys = self._annotate([texts[index] for index in mine], assembly, installed, demo=demo)
            except VarloomError as error:
                if error.kind is not REFERENCE_DATA_MISSING or len(mine) == len(texts):
                    raise
                found, keys = [[OnDemand(texts[index], None, error, {}, {}, demo)] for index in mine], ()
            used.update(keys)
            for index, answer in zip(mine, found, strict=True):
                answers[index] = answer
        return [item for answer in answers for item in answer], tuple(sorted(used))

    def _annotate(
        self, texts: Sequence[str], assembly: Assembly, installed: Sequence[ReleaseKey], *, demo: bool
    ) -> tuple[list[list[OnDemand]], tuple[ReleaseKey, ...]]:
        """Those of the demonstration, or all others: for each text what it names."""
        choice = choose(VariantKind.SMALL, assembly, installed, demo=demo)
        if not choice.planned:
            raise VarloomError(REFERENCE_DATA_MISSING, nothing_installed(assembly, "", installed, demo=demo))
        keys = tuple(sorted({*choice.keys, *_beside(installed, assembly, demo=demo)}))
        with self._guard:
            warm = self._warm.pop((assembly, demo), None)
            if warm is not None and warm.keys != keys:
                warm.close()
                warm = None
            warm = warm or _Warm(self._library, keys, self._environment, demo=demo)
            try:
                chosen = [item.with_folders(warm.folders) for item in choice.planned]
                found = warm.annotate(texts, assembly, chosen)
            except BaseException:
                warm.close()
                raise
            self._warm[assembly, demo] = warm
            return found, choice.keys

    def end_idle(self) -> None:
        """End the processes that nobody has asked for long; their releases can be removed then."""
        with self._guard:
            for which, warm in list(self._warm.items()):
                if warm.used_at < time.monotonic() - IDLE:
                    self._warm.pop(which).close()

    def close(self) -> None:
        """End all."""
        with self._guard:
            while self._warm:
                self._warm.popitem()[1].close()


_BY_WHICH_TEXTS_ARE_READ = (("fasta", None), ("genes", None), ("mane", None), ("variants", "dbsnp"))
"""Kinds and names of the releases without which some ways to write a variant are not understood."""


def _beside(installed: Sequence[ReleaseKey], assembly: Assembly, *, demo: bool) -> list[ReleaseKey]:
    """The newest release by which texts are read, of each kind."""
    fitting = [key for key in installed if (key.assembly, key.is_demo) == (assembly, demo)]
    wanted = [
        next((key for key in fitting if key.kind == kind and name in {None, key.name}), None)
        for kind, name in _BY_WHICH_TEXTS_ARE_READ
    ]
    return [key for key in wanted if key is not None]


class _Warm:
    """The open sources of one assembly, and its genome."""

    def __init__(
        self,
        library: ReferenceLibrary,
        keys: tuple[ReleaseKey, ...],
        environment: Mapping[str, str] | None,
        *,
        demo: bool,
    ) -> None:
        self.keys = keys
        self._demo = demo
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
            genome, genes, mane = map(self._folder_of, ("fasta", "genes", "mane"))
            self._genome = held.enter_context(Genome(genome)) if genome is not None else None
            self._transcripts = NamedTranscripts(genes, mane) if genes is not None else None
            self._held = held.pop_all()

    def close(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def annotate(self, texts: Sequence[str], assembly: Assembly, chosen: Sequence[Chosen]) -> list[list[OnDemand]]:
        """Understand each text, and annotate those that are understood together."""
        self.used_at = time.monotonic()
        understood = [self._understood(text, assembly) for text in texts]
        places = [(items, at) for items in understood for at, item in enumerate(items) if item.variant is not None]
        if places:
            variants = [variant for items, at in places if (variant := items[at].variant) is not None]
            found = zip(places, *self._looked_up(variants, chosen), strict=True)
            for (items, at), values, aside in found:
                items[at] = items[at]._replace(values=values, aside=aside)
        return understood

    def _understood(self, text: str, assembly: Assembly) -> list[OnDemand]:
        """The variant of a text; an rs number may name several, and so may a transcript that has several places."""
        try:
            return [OnDemand(text, variant, None, {}, {}, self._demo) for variant in self._variants(text, assembly)]
        except VarloomError as error:
            return [OnDemand(text, None, error, {}, {}, self._demo)]

    def _variants(self, text: str, assembly: Assembly) -> list[WrittenVariant]:
        if is_rs_number(text):
            return self._of_rs_number(text.strip())
        bases = self._genome.bases if self._genome is not None else None
        if not is_coding_text(text):
            return [parse_variant(text, assembly, bases)]
        if self._transcripts is None or bases is None:
            raise not_understood(
                text, "It is on a transcript: a gene model and the reference genome have to be installed here for that."
            )
        return parse_coding(text, self._transcripts, bases)

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

    def _folder_of(self, kind: str) -> Path | None:
        return next((self.folders[key].folder for key in self.keys if key.kind == kind), None)

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
    """The variants of an rs number in a release of dbSNP; without an index the whole file is looked through."""
    digits = number[2:]
    rows = rows_of_rs_number(folder, int(digits)) if len(digits) <= 18 else []
    return [WrittenVariant(row["contig"], row["position"], row["ref"], row["alt"]) for row in rows]

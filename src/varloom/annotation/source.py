"""The interface of every annotation source."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pyarrow as pa

    from varloom.annotation.model import Annotated, AnnotationColumn, ReleaseKey, VariantKind


class Need(NamedTuple):
    """Reference data that a source works with.

    Attributes:
        kind: of the release, such as `genes`.
        name: of the release, such as `clinvar`; None where any of the kind will do (the newest that is installed).
        required: without it the source cannot work; what is not required makes it say more.
    """

    kind: str
    name: str | None = None
    required: bool = True


class InstalledRelease(NamedTuple):
    """A release on this machine.

    Attributes:
        key: its name for good.
        folder: with the files that its importer wrote; never changed.
    """

    key: ReleaseKey
    folder: Path


class OpenSource(Protocol):
    """A source at work; used by one thread at a time."""

    def annotate(self, variants: pa.RecordBatch, on_step: Callable[[], None]) -> Annotated:
        """What is known of each variant.

        Args:
            variants: a batch of the schema `VARIANTS`, in the order of the file.
            on_step: to be called at least every few seconds of work, as a sign of life; it raises to cancel.

        Raises:
            VarloomError: the batch cannot be annotated. The caller tries halves of it, down to the one bad variant.
        """
        ...


class AnnotationSource(Protocol):
    """A source: it declares its columns and the data that it needs, and knows nothing of jobs or other sources.

    Attributes:
        name: the first part of its columns' names, such as `clinvar`.
        title: for people.
        kind: the variants that it serves.
        needs: the reference data that it works with.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - described above, as the others are

    @property
    def title(self) -> str: ...  # noqa: D102

    @property
    def kind(self) -> VariantKind: ...  # noqa: D102

    @property
    def needs(self) -> tuple[Need, ...]: ...  # noqa: D102

    def columns(self, releases: Mapping[Need, InstalledRelease]) -> Sequence[AnnotationColumn]:
        """The columns that it adds with these releases (one for each need that is met), in their order."""
        ...

    def stretches(self, releases: Mapping[Need, InstalledRelease]) -> pa.Table | None:
        """Where variants say something together, by the schema `STRETCHES`: no batch ends within one.

        None where each variant is answered by itself.

        Raises:
            VarloomError: the data cannot be used.
        """
        ...

    def open(self, releases: Mapping[Need, InstalledRelease], scratch: Path) -> AbstractContextManager[OpenSource]:
        """Get to work. `scratch` is an empty folder of its own, removed by the caller.

        Raises:
            VarloomError: the data cannot be used.
        """
        ...

"""Which sources annotate an upload, and with which releases: fixed before the first variant."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.annotation.model import ReleaseKey, VariantKind
from varloom.annotation.registry import SOURCES
from varloom.annotation.source import InstalledRelease, Need

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from varloom.annotation.model import AnnotationColumn
    from varloom.annotation.source import AnnotationSource
    from varloom.genomics.assemblies import Assembly


class Planned(NamedTuple):
    """A source that can work, and the release that was chosen for each of its needs that can be met."""

    source: AnnotationSource
    keys: Mapping[Need, ReleaseKey]

    def with_folders(self, folders: Mapping[ReleaseKey, InstalledRelease]) -> Chosen:
        """The source with its releases where they are on this machine."""
        return Chosen(self.source, {need: folders[key] for need, key in self.keys.items()})


class Chosen(NamedTuple):
    """A source that can work, with a release for each of its needs that is met."""

    source: AnnotationSource
    releases: Mapping[Need, InstalledRelease]

    @property
    def columns(self) -> tuple[AnnotationColumn, ...]:
        """The columns that it will add."""
        return tuple(self.source.columns(self.releases))


class Unmet(NamedTuple):
    """A source that cannot work, and the needs because of which it cannot."""

    source: AnnotationSource
    needs: tuple[Need, ...]


class Choice(NamedTuple):
    """What is possible for a kind of variants and an assembly."""

    planned: tuple[Planned, ...]
    unmet: tuple[Unmet, ...]

    @property
    def keys(self) -> tuple[ReleaseKey, ...]:
        """The releases that are needed, each once, in order."""
        return tuple(sorted({key for item in self.planned for key in item.keys.values()}))


def choose(
    kind: VariantKind,
    assembly: Assembly,
    installed: Sequence[ReleaseKey],
    sources: Iterable[AnnotationSource] = SOURCES,
    *,
    demo: bool = False,
) -> Choice:
    """The sources of the kind that can work, each with the first fitting release for each of its needs.

    Synthetic data and real data never meet: either all releases are of the demonstration, or none is.

    Args:
        kind: of the variants.
        assembly: of their coordinates.
        installed: what there is, in the order of preference: the newest of each first.
        sources: those to choose from.
        demo: whether the variants are on the demonstration genome.
    """
    installed = [key for key in installed if key.is_demo == demo]
    planned: list[Planned] = []
    unmet: list[Unmet] = []
    for source in sources:
        if source.kind is not kind:
            continue
        found = {need: key for need in source.needs if (key := _first_fit(need, assembly, installed))}
        lacking = tuple(need for need in source.needs if need.required and need not in found)
        if lacking:
            unmet.append(Unmet(source, lacking))
        else:
            planned.append(Planned(source, found))
    return Choice(tuple(planned), tuple(unmet))


def nothing_installed(assembly: Assembly, what: str, installed: Iterable[ReleaseKey], *, demo: bool) -> str:
    """The sentence that tells that nothing can be annotated; `what` ends with a blank or is empty."""
    of_demo = [key for key in installed if key.is_demo]
    if demo and of_demo and all(key.assembly != assembly for key in of_demo):
        return f"The variants are on the demonstration genome, which is called {of_demo[0].assembly}, not {assembly}."
    if demo:
        return "The variants are on the demonstration genome, and what it needs of the demonstration data is not here."
    told = f"No reference data of {assembly} {what}is installed here."
    more = " There is the demonstration data, which is synthetic and serves its own files alone."
    return told + more if of_demo else told


def _first_fit(need: Need, assembly: Assembly, installed: Sequence[ReleaseKey]) -> ReleaseKey | None:
    for key in installed:
        if key.kind == need.kind and key.assembly == assembly and need.name in {None, key.name}:
            return key
    return None


def fingerprint(chosen: Sequence[Chosen], version: str) -> str:
    """Equal for equal sources, columns and releases: what was annotated by one may be gone on with by the other."""
    told = [
        {
            "source": item.source.name,
            "columns": [(column.name, str(column.type)) for column in item.columns],
            "releases": sorted(release.key for release in item.releases.values()),
        }
        for item in chosen
    ]
    return hashlib.sha256(json.dumps([version, told]).encode()).hexdigest()


def as_json(chosen: Sequence[Chosen]) -> list[dict[str, Any]]:
    """The choice as plain JSON values, for another process of this machine."""
    return [
        {
            "source": item.source.name,
            "releases": [
                {"need": need, "key": release.key, "folder": str(release.folder)}
                for need, release in item.releases.items()
            ],
        }
        for item in chosen
    ]


def from_json(values: Sequence[Mapping[str, Any]], sources: Iterable[AnnotationSource] = SOURCES) -> tuple[Chosen, ...]:
    """The choice from plain JSON values."""
    named = {source.name: source for source in sources}
    return tuple(
        Chosen(
            named[item["source"]],
            {
                Need(*release["need"]): InstalledRelease(ReleaseKey(*release["key"]), Path(release["folder"]))
                for release in item["releases"]
            },
        )
        for item in values
    )

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

    chosen: tuple[Chosen, ...]
    unmet: tuple[Unmet, ...]


def choose(
    kind: VariantKind,
    assembly: Assembly,
    installed: Sequence[InstalledRelease],
    sources: Iterable[AnnotationSource] = SOURCES,
) -> Choice:
    """The sources of the kind that can work, each with the first fitting release for each of its needs.

    Args:
        kind: of the variants.
        assembly: of their coordinates.
        installed: what there is, in the order of preference: the newest first.
        sources: those to choose from.
    """
    chosen: list[Chosen] = []
    unmet: list[Unmet] = []
    for source in sources:
        if source.kind is not kind:
            continue
        found = {need: release for need in source.needs if (release := _first_fit(need, assembly, installed))}
        lacking = tuple(need for need in source.needs if need.required and need not in found)
        if lacking:
            unmet.append(Unmet(source, lacking))
        else:
            chosen.append(Chosen(source, found))
    return Choice(tuple(chosen), tuple(unmet))


def _first_fit(need: Need, assembly: Assembly, installed: Sequence[InstalledRelease]) -> InstalledRelease | None:
    for release in installed:
        key = release.key
        if key.kind == need.kind and key.assembly == assembly and need.name in {None, key.name}:
            return release
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

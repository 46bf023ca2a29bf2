"""What the server knows of installed reference data, while it looks again and again, and at once when it is asked."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.services.annotation_offer import AnnotationOffer
from varloom.storage import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CLINVAR = "##fileformat=VCFv4.1\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t1000\t1\tA\tC\t.\t.\tCLNSIG=Benign\n"


async def test_a_slow_look_does_not_take_back_what_a_later_one_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clinvar.vcf").write_text(CLINVAR)
    storage = LocalStorage(tmp_path / "storage")
    listed, go_on = threading.Event(), threading.Event()
    slow = iter((True,))
    releases = ReferenceLibrary.releases

    def list_slowly(library: ReferenceLibrary) -> object:
        found = releases(library)
        if next(slow, False):
            listed.set()
            assert go_on.wait(60)
        return found

    monkeypatch.setattr(ReferenceLibrary, "releases", list_slowly)
    offer = AnnotationOffer(storage)
    early = asyncio.create_task(offer.look())
    assert await asyncio.to_thread(listed.wait, 60)
    key = ReleaseKey("variants", "clinvar", "GRCh38", "2026-10-01")
    monkeypatch.setattr(ReferenceLibrary, "releases", releases)
    install(ReferenceLibrary(storage), key, Published(tmp_path / "clinvar.vcf"), lambda *_: None)
    assert offer.why_unavailable("small") is not None
    await offer.look()
    assert offer.why_unavailable("small") is None
    go_on.set()
    await early
    assert offer.why_unavailable("small") is None

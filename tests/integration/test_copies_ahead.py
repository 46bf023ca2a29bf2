"""Copies of large tables that are made before anybody asks."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
from api_support import VCF

from varloom.dataset.row_copies import RowCopies
from varloom.dataset.stored import StoredDatasets
from varloom.services import copies_ahead
from varloom.services.copies_ahead import CopiesAhead
from varloom.storage import LocalCopies

ENOUGH = 2**30


@pytest.fixture
async def ann(api):
    return await api.person()


async def sample_of(person, worker, number):
    """A sample that no other equals."""
    await person.upload(VCF.replace(b"DP=10", b"DP=%d" % number), f"{number}.vcf")
    return await worker.complete(await worker.claim())


@pytest.fixture
def made(api, tmp_path, monkeypatch):
    """Begins to look with so much room for copies; gives what looks, and how to count the copies that are there."""
    monkeypatch.setattr(copies_ahead, "FEWEST_ROWS", 1)
    opened = []

    def begin(room=ENOUGH, **options):
        folder = tmp_path / f"row-copies-{len(opened)}"
        opened.append(RowCopies(folder, room, worthwhile_cells=1, **options))
        stored = StoredDatasets(api.services.storage, LocalCopies(tmp_path / "copies", 2**20))
        ahead = CopiesAhead(api.services.pool, stored, opened[-1])

        async def count():
            await ahead.look()
            opened[-1].finish()
            return len(list(folder.glob("*/rows.duckdb")))

        return count

    yield begin
    for copies in opened:
        copies.close()


async def test_large_tables_are_copied_when_they_are_published(made, worker, ann):
    await sample_of(ann, worker, 11)
    deleted = await sample_of(ann, worker, 12)
    await ann.client.delete(f"/api/v1/samples/{deleted}")
    count = made()
    assert await count() == 1, "what was published before, but not what was deleted"
    await sample_of(ann, worker, 13)
    assert await count() == 2
    assert await count() == 2


async def test_old_tables_get_a_copy_only_where_there_is_room_and_new_ones_instead_of_others(
    made, worker, ann, tmp_path
):
    await sample_of(ann, worker, 21)
    await sample_of(ann, worker, 22)
    largest = max(path.stat().st_size for path in await copied(made, tmp_path))
    count = made(room=largest + largest // 2)
    assert await count() == 1, "the newest"
    [before] = (tmp_path / "row-copies-1").iterdir()
    await sample_of(ann, worker, 23)
    assert await count() == 1
    [after] = (tmp_path / "row-copies-1").iterdir()
    assert after != before


async def copied(made, tmp_path):
    assert await made()() == 2
    return list((tmp_path / "row-copies-0").glob("*/rows.duckdb"))


async def test_a_disk_without_room_to_spare_gets_no_copies(made, worker, ann, monkeypatch):
    await sample_of(ann, worker, 31)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000))
    assert await made(reserve=999)() == 0
    assert await made(reserve=0)() == 0, "the copy itself needs room as well"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=ENOUGH))
    assert await made(reserve=999)() == 1

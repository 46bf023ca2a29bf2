from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pytest

from varloom.dataset import Manifest, Part, Source, Split, catalog
from varloom.dataset.catalog import SampleSearch
from varloom.errors import VarloomError
from varloom.reader import Column

if TYPE_CHECKING:
    import uuid


def manifest(variants: int = 12, split: Split | None = None) -> Manifest:
    return Manifest(
        records=10,
        variants=variants,
        columns=(Column("rowno", pa.int64(), "varloom"),),
        content_hash="blake3:00",
        source=Source("a.vcf", 100, "ab", "vcf", "none"),
        parts=(Part("part-00000.parquet", variants, 4000, "cd"), Part("part-00001.parquet", 0, 500, "ef")),
        assembly="GRCh38",
        samples=("S1", "S2"),
        contigs=("chr1",),
        warnings=(),
        versions={},
        header="",
        split=split,
    )


async def job_of(conn: psycopg.AsyncConnection[Any], account_id: uuid.UUID) -> tuple[uuid.UUID, uuid.UUID]:
    cursor = await conn.execute(
        "INSERT INTO uploads (account_id, kind, name) VALUES (%s, 'file', 'a.vcf') RETURNING id", [account_id]
    )
    ((upload_id,),) = await cursor.fetchall()
    cursor = await conn.execute(
        "INSERT INTO jobs (account_id, upload_id, sample_name, plan, stage) "
        "VALUES (%s, %s, 'x', '{parse}', 'parse') RETURNING id",
        [account_id, upload_id],
    )
    ((job_id,),) = await cursor.fetchall()
    return job_id, upload_id


async def publish(conn: psycopg.AsyncConnection[Any], account_id: uuid.UUID, name: str, *found: Manifest) -> uuid.UUID:
    job_id, upload_id = await job_of(conn, account_id)
    datasets = [catalog.NewDataset(f"k/dataset-{number}", each) for number, each in enumerate(found or [manifest()])]
    return await catalog.publish(
        conn, account_id=account_id, job_id=job_id, upload_id=upload_id, sample_name=name, datasets=datasets
    )


async def test_what_is_published_is_found_by_its_account_only(connection, account, make_account) -> None:
    other = await make_account()
    sample_id = await publish(connection, account.id, "Anna's genome")

    sample = await catalog.get_sample(connection, account.id, sample_id)
    assert (sample.name, sample.records, sample.variants, sample.bytes) == ("Anna's genome", 10, 12, 4500)
    assert (sample.format, sample.assembly, sample.datasets) == ("vcf", "GRCh38", 1)
    (dataset,) = await catalog.datasets_of(connection, account.id, sample_id)
    assert (dataset.name, dataset.storage_key, dataset.content_hash) == ("Anna's genome", "k/dataset-0", "blake3:00")
    assert dataset.job_id == sample.job_id
    assert (await catalog.list_samples(connection, account.id)).samples == (sample,)

    assert (await catalog.list_samples(connection, other.id)).samples == ()
    attempts = [
        catalog.get_sample(connection, other.id, sample_id),
        catalog.datasets_of(connection, other.id, sample_id),
        catalog.change_sample(connection, other.id, sample_id, name="mine"),
        catalog.delete_sample(connection, other.id, sample_id),
    ]
    for attempt in attempts:
        with pytest.raises(VarloomError) as caught:
            await attempt
        assert caught.value.code == "sample_not_found"
    assert await catalog.get_sample(connection, account.id, sample_id) == sample


async def test_a_split_file_gives_one_sample_with_its_datasets_in_order(connection, account) -> None:
    parts = [manifest(split=Split(name, position, 2)) for position, name in enumerate(["Z9", "A1"])]
    sample_id = await publish(connection, account.id, "family", *parts)
    datasets = await catalog.datasets_of(connection, account.id, sample_id)
    assert [(dataset.position, dataset.name, dataset.storage_key) for dataset in datasets] == [
        (0, "Z9", "k/dataset-0"),
        (1, "A1", "k/dataset-1"),
    ]
    sample = await catalog.get_sample(connection, account.id, sample_id)
    assert (sample.datasets, sample.variants, sample.bytes) == (2, 12, 9000)


async def test_nothing_is_published_for_a_job_of_another_account(connection, account, make_account) -> None:
    other = await make_account()
    job_id, upload_id = await job_of(connection, other.id)
    _, unrelated_upload = await job_of(connection, account.id)
    for upload in (upload_id, unrelated_upload):
        with pytest.raises(ValueError, match="do not belong together"):
            async with connection.transaction():
                await catalog.publish(
                    connection,
                    account_id=account.id,
                    job_id=job_id,
                    upload_id=upload,
                    sample_name="stolen",
                    datasets=[catalog.NewDataset("k", manifest())],
                )
    with pytest.raises(ValueError, match="at least one dataset"):
        await catalog.publish(
            connection, account_id=other.id, job_id=job_id, upload_id=upload_id, sample_name="none", datasets=[]
        )
    assert (await catalog.list_samples(connection, account.id)).samples == ()
    assert (await catalog.list_samples(connection, other.id)).samples == ()


async def test_nothing_is_seen_before_the_commit(connection, database_url, account) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as second:
        sample_id = await publish(second, account.id, "soon")
        assert (await catalog.list_samples(connection, account.id)).samples == ()
        await second.commit()
    assert (await catalog.get_sample(connection, account.id, sample_id)).name == "soon"


async def test_pages_go_on_without_gaps_while_samples_come_and_go(connection, account) -> None:
    ids = [await publish(connection, account.id, f"sample {number}") for number in range(7)]
    # The last three share one time, so that only the id orders them.
    await connection.execute("UPDATE samples SET created_at = '2026-01-01' WHERE id = ANY(%s)", [ids[4:]])
    expected = [sample.id for sample in (await catalog.list_samples(connection, account.id)).samples]
    assert sorted(expected) == sorted(ids)
    assert expected[:4] == ids[3::-1]

    page = await catalog.list_samples(connection, account.id, limit=2)
    seen = [sample.id for sample in page.samples]
    await publish(connection, account.id, "newcomer")
    while page.next:
        page = await catalog.list_samples(connection, account.id, limit=2, cursor=page.next)
        seen += [sample.id for sample in page.samples]
    assert seen == expected


async def test_search_finds_names_and_a_cursor_belongs_to_its_search(connection, account) -> None:
    for name in ("Tumour 50%", "tumour_2", "Normal", "TUMOUR 3"):
        await publish(connection, account.id, name)
    found = await catalog.list_samples(connection, account.id, wanted=SampleSearch("tumour"))
    assert [sample.name for sample in found.samples] == ["TUMOUR 3", "tumour_2", "Tumour 50%"]
    assert [s.name for s in (await catalog.list_samples(connection, account.id, wanted=SampleSearch("%"))).samples] == [
        "Tumour 50%"
    ]
    assert [s.name for s in (await catalog.list_samples(connection, account.id, wanted=SampleSearch("_"))).samples] == [
        "tumour_2"
    ]
    page = await catalog.list_samples(connection, account.id, wanted=SampleSearch("tumour"), limit=1)
    assert page.next is not None
    for cursor, search in [(page.next, "normal"), (page.next[:-2] + "AA", "tumour"), ("%%%", "tumour"), ("", "tumour")]:
        with pytest.raises(VarloomError) as caught:
            await catalog.list_samples(connection, account.id, wanted=SampleSearch(search), cursor=cursor)
        assert caught.value.code == "cursor_invalid"


async def test_a_renamed_sample_keeps_its_place_and_a_deleted_one_is_gone(connection, account) -> None:
    kept, gone = [await publish(connection, account.id, name) for name in ("first", "second")]
    await catalog.change_sample(connection, account.id, kept, name="renamed")
    await catalog.delete_sample(connection, account.id, gone)
    assert [s.name for s in (await catalog.list_samples(connection, account.id)).samples] == ["renamed"]
    for attempt in (
        catalog.get_sample(connection, account.id, gone),
        catalog.datasets_of(connection, account.id, gone),
        catalog.change_sample(connection, account.id, gone, name="back"),
        catalog.delete_sample(connection, account.id, gone),
    ):
        with pytest.raises(VarloomError) as caught:
            await attempt
        assert caught.value.code == "sample_not_found"
    cursor = await connection.execute("SELECT count(*) FROM datasets WHERE sample_id = %s", [gone])
    assert await cursor.fetchall() == [(1,)]


async def test_two_samples_of_one_name_are_two_samples(pool, account) -> None:
    async def one() -> uuid.UUID:
        async with pool.connection() as conn:
            return await publish(conn, account.id, "twin")

    first, second = await asyncio.gather(one(), one())
    assert first != second

"""Samples as people see them: their tables by version, and what they could be annotated with now."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from varloom.dataset import catalog
from varloom.jobs import repository
from varloom.services.upload_rows import names_of
from varloom.services.views import DatasetView, SampleView

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import AsyncConnection

    from varloom.dataset.catalog import DatasetRecord, SampleRecord
    from varloom.services.annotation_offer import AnnotationOffer


@dataclass(frozen=True, slots=True)
class SampleViews:
    """Makes them; without an offer nothing is known of newer reference data."""

    offer: AnnotationOffer | None = None

    async def of_one(self, conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> SampleView:
        """One sample.

        Raises:
            VarloomError: `sample_not_found`.
        """
        sample = await catalog.get_sample(conn, account_id, sample_id)
        [view] = await self.of_many(conn, account_id, [sample])
        return view

    async def of_many(
        self, conn: AsyncConnection[Any], account_id: UUID, samples: Sequence[SampleRecord]
    ) -> list[SampleView]:
        """The samples with their datasets, the names of their files, and the jobs that renew them."""
        wanted = [sample.id for sample in samples]
        datasets = await catalog.datasets_of_samples(conn, account_id, wanted, deleted=True)
        first = {sample_id: records[0].upload_id for sample_id, records in datasets.items()}
        names = await names_of(conn, account_id, list(first.values()))
        renewals = await repository.renewals_of(conn, account_id, wanted)
        # A sample that was deleted a moment ago has no datasets any more.
        return [
            self._view(sample, datasets[sample.id], names.get(first[sample.id], ""), renewals.get(sample.id))
            for sample in samples
            if sample.id in datasets
        ]

    def _view(
        self, sample: SampleRecord, datasets: Sequence[DatasetRecord], source_name: str, renewal: UUID | None
    ) -> SampleView:
        versions = [_version(list(made)) for _, made in groupby(datasets, lambda dataset: dataset.version)]
        newest = datasets[0]
        newer = self.offer.newer(newest.annotation, newest.assembly, newest.created_at) if self.offer else ()
        return SampleView.model_validate(
            {
                "id": sample.id,
                "name": sample.name,
                "source_name": source_name,
                "tags": sample.tags,
                "purge_at": sample.purge_at,
                "job_id": sample.job_id,
                "records": sample.records,
                "variants": sample.variants,
                "bytes": sample.bytes,
                "created_at": sample.created_at,
                "datasets": versions[0]["datasets"],
                "version": newest.version,
                "versions": versions,
                "newer": [one._asdict() for one in newer],
                "renewal_job_id": renewal,
            }
        )


def _version(datasets: Sequence[DatasetRecord]) -> dict[str, Any]:
    """One version, from its tables; what is said of its annotation is the same for all of them."""
    first = datasets[0]
    annotation = first.annotation or {}
    return {
        "version": first.version,
        "created_at": first.created_at,
        "job_id": first.job_id,
        "annotate": annotation.get("kind"),
        "releases": annotation.get("releases", {}),
        "changes": first.changes,
        "datasets": [{name: getattr(dataset, name) for name in DatasetView.model_fields} for dataset in datasets],
    }

"""Samples as people see them: their tables by version, what they could be annotated with now, and who shares them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from varloom.dataset import catalog, projects
from varloom.dataset.problems import SAMPLE_NOT_FOUND
from varloom.errors import VarloomError
from varloom.jobs import repository
from varloom.services.access import may
from varloom.services.upload_rows import names_of
from varloom.services.views import DatasetView, SampleView

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import AsyncConnection

    from varloom.dataset.catalog import DatasetRecord, SampleRecord
    from varloom.dataset.projects import NamedProject
    from varloom.services.annotation_offer import AnnotationOffer


@dataclass(frozen=True, slots=True)
class SampleViews:
    """Makes them; without an offer nothing is known of newer reference data."""

    offer: AnnotationOffer | None = None

    async def of_one(
        self, conn: AsyncConnection[Any], asking_id: UUID, account_id: UUID, sample_id: UUID
    ) -> SampleView:
        """One sample of an account, as the account that asks sees it.

        Raises:
            VarloomError: `sample_not_found`.
        """
        sample = await catalog.get_sample(conn, account_id, sample_id)
        views = await self.of_many(conn, asking_id, [sample])
        if not views:
            raise VarloomError(SAMPLE_NOT_FOUND, "There is no such sample in this account.")
        return views[0]

    async def of_many(
        self, conn: AsyncConnection[Any], asking_id: UUID, samples: Sequence[SampleRecord]
    ) -> list[SampleView]:
        """The samples as the account that asks sees them, with their datasets, files' names and projects.

        Jobs are those of the account itself alone: nothing leads to another one's.
        """
        wanted, accounts = [sample.id for sample in samples], list({sample.account_id for sample in samples})
        datasets = await catalog.datasets_of_samples(conn, accounts, wanted, deleted=True)
        first = {sample_id: records[0].upload_id for sample_id, records in datasets.items()}
        names = await names_of(conn, accounts, list(first.values()))
        renewals = await repository.renewals_of(conn, asking_id, wanted)
        found = await projects.projects_of_samples(conn, asking_id, wanted)
        # A sample that was deleted a moment ago has no datasets any more, and one that was shared has no project.
        return [
            self._view(
                sample,
                datasets[sample.id],
                {
                    **_sharing(sample, found.get(sample.id, ()), is_own=sample.account_id == asking_id),
                    "source_name": names.get(first[sample.id], ""),
                    "renewal_job_id": renewals.get(sample.id),
                },
            )
            for sample in samples
            if sample.id in datasets and (sample.account_id == asking_id or sample.id in found)
        ]

    def _view(self, sample: SampleRecord, datasets: Sequence[DatasetRecord], more: dict[str, Any]) -> SampleView:
        is_own = more["shared_by"] is None
        versions = [
            _version(list(made), is_own=is_own) for _, made in groupby(datasets, lambda dataset: dataset.version)
        ]
        newest = datasets[0]
        newer = self.offer.newer(newest.annotation, newest.assembly, newest.created_at) if self.offer else ()
        return SampleView.model_validate(
            {
                "id": sample.id,
                "name": sample.name,
                "tags": sample.tags,
                "purge_at": sample.purge_at,
                "job_id": sample.job_id if is_own else None,
                "records": sample.records,
                "variants": sample.variants,
                "bytes": sample.bytes,
                "created_at": sample.created_at,
                "datasets": versions[0]["datasets"],
                "version": newest.version,
                "versions": versions,
                "newer": [one._asdict() for one in newer],
                **more,
            }
        )


def _sharing(sample: SampleRecord, found: Sequence[NamedProject], *, is_own: bool) -> dict[str, Any]:
    """Whose a sample is, what may be done with it, and the projects by which that is so."""
    shown = [{"id": one.id, "name": one.name} for one in found]
    if is_own:
        return {"shared_by": None, "role": "owner", "projects": shown}
    is_editor = any(may(one.role, "editor") for one in found)
    return {"shared_by": sample.account_name, "role": "editor" if is_editor else "viewer", "projects": shown}


def _version(datasets: Sequence[DatasetRecord], *, is_own: bool) -> dict[str, Any]:
    """One version, from its tables; what is said of its annotation is the same for all of them."""
    first = datasets[0]
    annotation = first.annotation or {}
    return {
        "version": first.version,
        "created_at": first.created_at,
        "job_id": first.job_id if is_own else None,
        "annotate": annotation.get("kind"),
        "releases": annotation.get("releases", {}),
        "changes": first.changes,
        "datasets": [{name: getattr(dataset, name) for name in DatasetView.model_fields} for dataset in datasets],
    }

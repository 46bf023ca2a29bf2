"""Connections of a process under test: the failpoints around the commit of a step, its answer's loss included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection, pq

from varloom import failpoints

if TYPE_CHECKING:
    from psycopg.abc import PQGen, QueryNoTemplate


class FaultyCommits(AsyncConnection[Any]):
    """A connection that passes the failpoints of the step which `failpoints.commit_point` has named."""

    step: str | None = None

    def _exec_command(
        self, command: QueryNoTemplate, result_format: pq.Format = pq.Format.TEXT
    ) -> PQGen[pq.abc.PGresult | None]:
        """Every COMMIT passes here, that of a connection's block and that of `transaction()`."""
        step = self.step if command == b"COMMIT" else None
        if step is None or failpoints.armed is None:
            return (yield from super()._exec_command(command, result_format))
        self.step = None
        failpoints.armed.before_commit(step, self)
        result = yield from super()._exec_command(command, result_format)
        failpoints.armed.failpoint(f"{step}.after_commit", self)
        return result


def connection_class() -> type[AsyncConnection[Any]]:
    """The plain one, except in a process under test."""
    return AsyncConnection if failpoints.armed is None else FaultyCommits

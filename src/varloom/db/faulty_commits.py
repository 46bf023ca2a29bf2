"""Connections of a process under test: the failpoints around the commit of a step, its answer's loss included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection, pq

from varloom import failpoints

if TYPE_CHECKING:
    from psycopg.abc import PQGen, QueryNoTemplate


class FaultyCommits(AsyncConnection[Any]):
    """A connection that passes the failpoints of the steps which `failpoints.commit_point` has named."""

    steps: tuple[str, ...] = ()
    """Those of the transaction that goes on."""

    def _exec_command(
        self, command: QueryNoTemplate, result_format: pq.Format = pq.Format.TEXT
    ) -> PQGen[pq.abc.PGresult | None]:
        """Every COMMIT and ROLLBACK passes here, that of a connection's block and that of `transaction()`."""
        if command not in {b"COMMIT", b"ROLLBACK"}:
            return (yield from super()._exec_command(command, result_format))
        steps, self.steps = self.steps, ()
        if command == b"ROLLBACK" or failpoints.armed is None:
            return (yield from super()._exec_command(command, result_format))
        for step in steps:
            failpoints.armed.before_commit(step, self)
        result = yield from super()._exec_command(command, result_format)
        for step in steps:
            failpoints.armed.failpoint(f"{step}.after_commit", self)
        return result


def connection_class() -> type[AsyncConnection[Any]]:
    """The plain one, except in a process under test."""
    return AsyncConnection if failpoints.armed is None else FaultyCommits

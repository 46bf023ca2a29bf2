"""Views of tables that people keep by name. Every call is for one account; another account's view does not exist.

The only module with the SQL of the table `table_views`.
"""
# ruff: noqa: S608 -- the statements are made of the names of columns

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import errors
from psycopg.rows import class_row

from varloom.errors import VarloomError
from varloom.services.names import checked_view_name
from varloom.services.problems import VIEW_INVALID, VIEW_NAME_TAKEN, VIEW_NOT_FOUND
from varloom.services.views import TableView, TableViewList

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

MOST_VIEWS = 200
QUERY_LIMIT = 60_000
"""Characters of a view's query."""

_COLUMNS = "id, name, query, created_at, changed_at"
_LIST: LiteralString = f"""
SELECT {_COLUMNS} FROM table_views WHERE account_id = %(account)s ORDER BY lower(name), id
"""
# The account's row is locked, so that two requests cannot both add the last view that is allowed.
# Held by a statement of its own: one that counts in the same breath would count what was there before it waited.
_HOLD: LiteralString = "SELECT FROM accounts WHERE id = %(account)s FOR UPDATE"
_INSERT: LiteralString = f"""
INSERT INTO table_views (account_id, name, query)
SELECT %(account)s, %(name)s, %(query)s
WHERE (SELECT count(*) FROM table_views WHERE account_id = %(account)s) < %(most)s
RETURNING {_COLUMNS}
"""
_CHANGE: LiteralString = f"""
UPDATE table_views SET name = coalesce(%(name)s, name), query = coalesce(%(query)s, query), changed_at = now()
WHERE id = %(view)s AND account_id = %(account)s
RETURNING {_COLUMNS}
"""
_DELETE: LiteralString = f"""
DELETE FROM table_views WHERE id = %(view)s AND account_id = %(account)s
RETURNING {_COLUMNS}
"""


@dataclass(frozen=True, slots=True)
class SavedViews:
    """The account's views."""

    pool: AsyncConnectionPool

    async def all(self, account_id: UUID) -> TableViewList:
        """All views, by name."""
        return TableViewList(views=await self._run(_LIST, {"account": account_id}))

    async def add(self, account_id: UUID, name: str, query: str) -> TableView:
        """Keep a view.

        Raises:
            VarloomError: `view_invalid` or `view_name_taken`.
        """
        values = {"account": account_id, "name": checked_view_name(name), "query": _checked_query(query)}
        found = await self._run(_INSERT, values | {"most": MOST_VIEWS})
        if not found:
            raise VarloomError(VIEW_INVALID, f"The account has {MOST_VIEWS} views already.")
        return found[0]

    async def change(
        self, account_id: UUID, view_id: UUID, *, name: str | None = None, query: str | None = None
    ) -> TableView:
        """Give a view another name or let it show something else; what is None stays.

        Raises:
            VarloomError: `view_invalid`, `view_name_taken` or `view_not_found`.
        """
        values = {
            "account": account_id,
            "view": view_id,
            "name": None if name is None else checked_view_name(name),
            "query": None if query is None else _checked_query(query),
        }
        return _required(await self._run(_CHANGE, values))

    async def delete(self, account_id: UUID, view_id: UUID) -> None:
        """Delete a view. Raises `view_not_found`."""
        _required(await self._run(_DELETE, {"account": account_id, "view": view_id}))

    async def _run(self, statement: LiteralString, values: dict[str, Any]) -> list[TableView]:
        async with self.pool.connection() as conn, conn.cursor(row_factory=class_row(TableView)) as cursor:
            try:
                if statement is _INSERT:
                    await cursor.execute(_HOLD, values)
                await cursor.execute(statement, values)
            except errors.UniqueViolation:
                message = f"The account has a view called {values['name']!r}."
                raise VarloomError(VIEW_NAME_TAKEN, message) from None
            return await cursor.fetchall()


def _required(found: list[TableView]) -> TableView:
    if not found:
        raise VarloomError(VIEW_NOT_FOUND, "There is no such view in this account.")
    return found[0]


def _checked_query(query: str) -> str:
    if len(query) > QUERY_LIMIT or "\0" in query:
        raise VarloomError(
            VIEW_INVALID, f"The query of a view has at most {QUERY_LIMIT:,} characters, none of them NUL."
        )
    return query

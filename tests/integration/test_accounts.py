"""Nobody comes in without a valid secret, and no secret can be read from the database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from varloom.errors import VarloomError
from varloom.services import accounts as accounts_module
from varloom.services.accounts import Account, Accounts, TokenGrant
from varloom.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg
    from psycopg_pool import AsyncConnectionPool
    from tests.conftest import MakeAccount


@pytest.fixture
def accounts(pool: AsyncConnectionPool, tmp_path: Path) -> Accounts:
    return Accounts(pool, Settings(data=tmp_path))


async def _age(connection: psycopg.AsyncConnection, table: str, column: str, interval: str) -> None:
    await connection.execute(f"UPDATE {table} SET {column} = {column} - interval '{interval}'")


async def _value(connection: psycopg.AsyncConnection, query: str) -> object:
    (value,) = await (await connection.execute(query)).fetchone()
    return value


async def test_the_first_start_creates_one_owner_even_when_two_servers_start(
    accounts: Accounts, connection: psycopg.AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    owners = await asyncio.gather(*(accounts.ensure_owner() for _ in range(4)))
    assert len(set(owners)) == 1
    assert (owners[0].name, owners[0].role) == ("ada", "owner")
    assert await _value(connection, "SELECT count(*) FROM accounts") == 1


async def test_the_owner_is_called_owner_when_the_system_user_has_no_name(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("no such uid")

    monkeypatch.setattr(accounts_module.getpass, "getuser", nameless)
    assert (await accounts.ensure_owner()).name == "owner"


async def test_a_login_link_opens_one_session(accounts: Accounts, account: Account) -> None:
    link = await accounts.create_login_link(account.id)
    session = await accounts.redeem_login(link)
    assert await accounts.authenticate_session(session) == account
    assert len(link) >= 43
    assert len(session) >= 43
    with pytest.raises(VarloomError) as caught:
        await accounts.redeem_login(link)
    assert caught.value.code == "login_link_invalid"


async def test_a_login_link_used_by_many_at_once_lets_one_in(accounts: Accounts, account: Account) -> None:
    link = await accounts.create_login_link(account.id)
    results = await asyncio.gather(*(accounts.redeem_login(link) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, VarloomError) for result in results) == 4


async def test_an_account_has_so_many_tokens_and_no_more(
    accounts: Accounts, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("varloom.services.accounts.MOST_TOKENS", 3)
    made = await asyncio.gather(*(accounts.create_token(account.id, "x") for _ in range(8)), return_exceptions=True)
    refused = [one.code for one in made if isinstance(one, VarloomError)]
    assert (len(made) - len(refused), set(refused)) == (3, {"tokens_too_many"})
    assert await accounts.replace_token(account.id, "x"), "those of this label make room"
    assert len(await accounts.list_tokens(account.id)) == 1


async def test_expired_links_and_sessions_are_refused(
    accounts: Accounts, account: Account, connection: psycopg.AsyncConnection
) -> None:
    link = await accounts.create_login_link(account.id)
    session = await accounts.redeem_login(await accounts.create_login_link(account.id))
    await _age(connection, "login_links", "expires_at", "59 minutes")
    await _age(connection, "sessions", "expires_at", "29 days")
    assert await accounts.authenticate_session(session) == account
    await _age(connection, "login_links", "expires_at", "2 minutes")
    await _age(connection, "sessions", "expires_at", "2 days")
    assert await accounts.authenticate_session(session) is None
    with pytest.raises(VarloomError):
        await accounts.redeem_login(link)


async def test_all_bad_login_links_are_refused_with_the_same_words(accounts: Accounts, account: Account) -> None:
    used = await accounts.create_login_link(account.id)
    await accounts.redeem_login(used)
    messages = set()
    for token in (used, "", "x", "\udcff", "' OR 1=1 --", used[:-1], "a" * 100_000):
        with pytest.raises(VarloomError) as caught:
            await accounts.redeem_login(token)
        messages.add(str(caught.value))
    assert len(messages) == 1


async def test_logout_ends_this_session_only(accounts: Accounts, account: Account) -> None:
    first, second = [await accounts.redeem_login(await accounts.create_login_link(account.id)) for _ in range(2)]
    await accounts.logout(first)
    await accounts.logout("unknown")
    assert await accounts.authenticate_session(first) is None
    assert await accounts.authenticate_session(second) == account


async def test_last_seen_is_written_once_a_minute(
    accounts: Accounts, account: Account, connection: psycopg.AsyncConnection
) -> None:
    session = await accounts.redeem_login(await accounts.create_login_link(account.id))
    before = await _value(connection, "SELECT last_seen_at FROM sessions")
    await accounts.authenticate_session(session)
    assert await _value(connection, "SELECT last_seen_at FROM sessions") == before
    await _age(connection, "sessions", "last_seen_at", "61 seconds")
    await accounts.authenticate_session(session)
    assert await _value(connection, "SELECT last_seen_at FROM sessions") > before


async def test_an_api_token_works_until_it_is_revoked(accounts: Accounts, account: Account) -> None:
    secret = await accounts.create_token(account.id, " my script ")
    assert secret.startswith("vl_")
    (listed,) = await accounts.list_tokens(account.id)
    assert (listed.label, listed.last_used_at) == ("my script", None)
    assert secret not in repr(listed)
    assert await accounts.authenticate_token(secret) == TokenGrant(account, "full", None)
    (listed,) = await accounts.list_tokens(account.id)
    assert listed.last_used_at is not None
    await accounts.revoke_token(account.id, listed.id)
    assert await accounts.authenticate_token(secret) is None
    assert await accounts.list_tokens(account.id) == []


async def test_a_token_is_out_of_reach_for_other_accounts(accounts: Accounts, make_account: MakeAccount) -> None:
    mine, other = await make_account(), await make_account()
    secret = await accounts.create_token(mine.id, "mine")
    (listed,) = await accounts.list_tokens(mine.id)
    assert await accounts.list_tokens(other.id) == []
    for account_id, token_id in ((other.id, listed.id), (mine.id, uuid4())):
        with pytest.raises(VarloomError) as caught:
            await accounts.revoke_token(account_id, token_id)
        assert caught.value.code == "token_not_found"
    assert await accounts.authenticate_token(secret) == TokenGrant(mine, "full", None)


async def test_replacing_a_token_revokes_those_with_the_same_label_only(
    accounts: Accounts, account: Account, make_account: MakeAccount
) -> None:
    other = await make_account()
    old = await accounts.create_token(account.id, "server")
    kept = await accounts.create_token(account.id, "script")
    others = await accounts.create_token(other.id, "server")
    new = await accounts.replace_token(account.id, "server")
    assert await accounts.authenticate_token(old) is None
    assert await accounts.authenticate_token(new) == TokenGrant(account, "full", None)
    assert await accounts.authenticate_token(kept) == TokenGrant(account, "full", None)
    assert await accounts.authenticate_token(others) == TokenGrant(other, "full", None)


@pytest.mark.parametrize("label", ["", "   ", "x" * 101, "two\nlines", "nul\0"])
async def test_a_bad_label_is_refused(accounts: Accounts, account: Account, label: str) -> None:
    with pytest.raises(VarloomError) as caught:
        await accounts.create_token(account.id, label)
    assert caught.value.code == "token_label_invalid"


async def test_a_deactivated_account_stays_out(
    accounts: Accounts, account: Account, connection: psycopg.AsyncConnection
) -> None:
    link = await accounts.create_login_link(account.id)
    session = await accounts.redeem_login(await accounts.create_login_link(account.id))
    token = await accounts.create_token(account.id, "script")
    await connection.execute("UPDATE accounts SET deactivated_at = now()")
    assert await accounts.authenticate_session(session) is None
    assert await accounts.authenticate_token(token) is None
    with pytest.raises(VarloomError):
        await accounts.redeem_login(link)


async def test_secrets_of_one_kind_are_useless_as_another(accounts: Accounts, account: Account) -> None:
    token = await accounts.create_token(account.id, "script")
    session = await accounts.redeem_login(await accounts.create_login_link(account.id))
    link = await accounts.create_login_link(account.id)
    for secret in (token, link):
        assert await accounts.authenticate_session(secret) is None
    for secret in (session, link):
        assert await accounts.authenticate_token(secret) is None
    for secret in (session, token):
        with pytest.raises(VarloomError):
            await accounts.redeem_login(secret)


async def test_no_secret_stands_in_the_database(
    accounts: Accounts, account: Account, connection: psycopg.AsyncConnection
) -> None:
    link = await accounts.create_login_link(account.id)
    issued = [
        link,
        await accounts.create_token(account.id, "script"),
        await accounts.redeem_login(await accounts.create_login_link(account.id)),
    ]
    for table in ("login_links", "sessions", "api_tokens"):
        rows = await (await connection.execute(f"SELECT t::text FROM {table} t")).fetchall()
        assert rows
        assert not any(secret in text for (text,) in rows for secret in issued)


async def test_expired_rows_are_cleared_away(
    accounts: Accounts, account: Account, connection: psycopg.AsyncConnection
) -> None:
    await accounts.redeem_login(await accounts.create_login_link(account.id))
    await _age(connection, "login_links", "expires_at", "1 day")
    await _age(connection, "sessions", "expires_at", "31 days")
    await accounts.redeem_login(await accounts.create_login_link(account.id))
    assert await _value(connection, "SELECT count(*) FROM login_links") == 1
    assert await _value(connection, "SELECT count(*) FROM sessions") == 1

"""`varloom projects` as two people use it, and what they then see of each other's samples by their names."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from api_support import VCF
from cli_support import Result, varloom

from running import Server, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import MakeDatabase

    Command = Callable[..., Result]


@pytest.fixture
def database(make_database: MakeDatabase) -> str:
    return make_database()


@pytest.fixture
def server(tmp_path: Path, database: str) -> Iterator[Server]:
    with serving(tmp_path / "data", VARLOOM_DATABASE_URL=database) as running:
        yield running


@pytest.fixture
def ann(server: Server) -> Command:
    """The owner of the server."""
    return lambda *words, **options: varloom(*words, data=server.data, **options)


@pytest.fixture
def bob(server: Server, database: str) -> Command:
    """Another account of it."""
    secret = "vl_" + secrets.token_urlsafe(32)
    with psycopg.connect(database, autocommit=True) as connection:
        added = connection.execute("INSERT INTO accounts (name) VALUES ('bob') RETURNING id").fetchone()
        assert added is not None
        connection.execute(
            "INSERT INTO api_tokens (account_id, label, token_sha256) VALUES (%s, 'test', %s)",
            [added[0], hashlib.sha256(secret.encode()).digest()],
        )
    return lambda *words: varloom(*words, VARLOOM_URL=server.url, VARLOOM_TOKEN=secret)


def told(result: Result) -> Any:
    assert (result.status, result.err) == (0, ""), result
    return json.loads(result.out)


def done(result: Result) -> str:
    assert (result.status, result.err) == (0, ""), result
    return result.out.strip()


def refused(result: Result, title: str) -> None:
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(title), result.err


def test_two_people_share_samples(server: Server, ann: Command, bob: Command, tmp_path: Path) -> None:
    for name in ("first", "second"):
        server.at_rest(server.submit(VCF, f"{name}.vcf", sample_name=name)["id"])
    project = done(ann("projects", "create", "Trio"))
    assert done(ann("projects", "add", "trio", "first", "second")) == "2 samples put in"
    refused(bob("projects", "show", "Trio"), "No such project")
    refused(bob("export", "first"), "No such sample")
    refused(ann("projects", "share", "Trio", "nobody"), "No such account")
    assert done(ann("projects", "share", "Trio", "bob")) == "bob: viewer"

    [listed] = told(bob("projects", "list", "--json"))
    assert (listed["id"], listed["role"], listed["samples"], listed["members"]) == (project, "viewer", 2, 2)
    shown = told(bob("projects", "show", "Trio", "--json"))
    owner = shown["members"][0]["account"]
    assert [one["name"] for one in shown["samples"]] == ["second", "first"]
    assert {one["shared_by"] for one in shown["samples"]} == {owner}
    as_table = done(bob("projects", "show", project))
    assert "your role: viewer" in as_table
    assert owner in as_table
    assert [one["name"] for one in told(bob("samples", "--project", "Trio", "--json"))] == ["second", "first"]
    assert "SHARED BY" in done(bob("samples"))
    assert bob("export", "first").bytes == ann("export", "first").bytes
    assert bob("files", "first").status == 0

    refused(bob("projects", "rename", "Trio", "Mine"), "Your role does not allow this")
    refused(bob("annotate", "--sample", "first", "--kind", "small"), "Your role does not allow this")
    assert told(ann("projects", "share", "Trio", "bob", "--role", "editor", "--json"))["role"] == "editor"
    done(bob("projects", "rename", "Trio", "Quartet"))

    # An own sample goes before one of the same name that is shared: nothing that others do changes what is meant.
    (tmp_path / "own.csv").write_text("a,b\n1,2\n")
    done(bob("submit", tmp_path / "own.csv", "--name", "first", "--wait"))
    assert bob("export", "first").out.splitlines()[-1].endswith("1,2")
    assert done(bob("projects", "add", "Quartet", "first")) == "1 sample put in"
    refused(bob("projects", "add", "Quartet", "second"), "Your role does not allow this")
    done(bob("submit", tmp_path / "own.csv", "--name", "third", "--wait"))
    several = bob("projects", "add", "Quartet", "second", "third")
    assert (several.status, several.out) == (1, "1 sample put in\n"), "one that is refused does not keep the others out"
    assert several.err.startswith("Your role does not allow this: second: "), several.err
    done(bob("projects", "remove", "Quartet", "third"))

    assert done(ann("projects", "remove", "Quartet", "second")) == "1 sample taken out"
    assert [one["name"] for one in told(ann("projects", "show", "Quartet", "--json"))["samples"]] == ["first", "first"]
    refused(ann("projects", "unshare", "Quartet", owner), "A project needs an owner")
    done(ann("projects", "unshare", "Quartet", "bob"))
    assert told(bob("samples", "--json"))[0]["shared_by"] is None
    assert told(bob("projects", "list", "--json")) == []
    done(ann("projects", "delete", project))
    refused(ann("projects", "show", project), "No such project")
    assert len(told(ann("samples", "--json"))) == 2


def test_a_name_that_two_projects_have_is_not_clear(ann: Command, bob: Command) -> None:
    first = done(ann("projects", "create", "Trio"))
    second = told(bob("projects", "create", "Trio", "--json"))["project"]["id"]
    owner = told(ann("projects", "show", first, "--json"))["members"][0]["account"]
    done(bob("projects", "share", "Trio", owner))
    refused(ann("projects", "show", "Trio"), "The project is not clear")
    assert told(ann("projects", "show", second, "--json"))["project"]["role"] == "viewer"

"""What the code can do is documented: every error code, every setting, every command."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import re
import shlex
import sys
from pathlib import Path

import click
import pytest

from varloom.cli import main
from varloom.errors import all_kinds

ROOT = Path(__file__).resolve().parents[2]


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sys.path.insert(0, str(ROOT / "scripts"))  # the scripts import each other
reference = load_script("write_reference")


@pytest.mark.parametrize("page", sorted(reference.PAGES))
def test_the_generated_reference_is_up_to_date(page):
    written = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert written == reference.PAGES[page](), "run .venv/bin/python scripts/write_reference.py"


@pytest.mark.parametrize("module", sorted(reference.write_client.MODULES))
def test_the_python_client_is_what_the_code_says(module):
    written = (ROOT / "src" / "varloom" / "client" / module).read_text(encoding="utf-8")
    assert written == reference.write_client.MODULES[module](), "run .venv/bin/python scripts/write_reference.py"


def test_every_error_can_be_read_by_a_person():
    kinds = all_kinds()
    assert len(kinds) > 40
    for kind in kinds:
        assert re.fullmatch(r"[a-z][a-z0-9_]+", kind.code)
        assert kind.title[0].isupper(), kind.code
        assert not kind.title.endswith("."), kind.code
        assert kind.cause.endswith("."), kind.code
        assert kind.resolution, kind.code
        for step in kind.resolution:
            assert step.endswith((".", ":")), (kind.code, step)


def commands(group, prefix=()):
    for name, command in group.commands.items():
        yield (*prefix, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))


def test_every_command_and_option_is_documented():
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    missing = [" ".join(path) for path, _ in commands(main) if f"varloom {' '.join(path)}" not in text]
    options = {
        option
        for _, command in commands(main)
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    missing += sorted(option for option in options if option not in text)
    assert missing == []


def shown_commands():
    """Every `varloom ...` of the shell blocks of all pages: the page, and its words."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for block in re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                found = re.search(r"(?:^ *|[|&(] *|[A-Z_]+=\S+ +)(?:\.venv/bin/)?varloom (.*)", line)
                if found is None or line.lstrip().startswith("#"):
                    continue
                lexer = shlex.shlex(found[1], posix=True, punctuation_chars="|&;<>")
                lexer.whitespace_split = True
                words = itertools.takewhile(lambda word: not re.fullmatch(r"[|&;<>]+|#.*", word), lexer)
                with contextlib.suppress(ValueError):  # a quotation that goes on in the next line
                    yield page.relative_to(ROOT), list(words)


def test_the_commands_of_all_pages_can_be_given():
    shown = list(shown_commands())
    assert len(shown) > 50
    wrong = []
    for page, words in shown:
        command, rest = main, list(words)
        while isinstance(command, click.Group) and rest and rest[0] in command.commands:
            command = command.commands[rest.pop(0)]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        options = [word.partition("=")[0] for word in rest if re.match(r"-(-|[a-z]$)", word)]
        if command is main or (isinstance(command, click.Group) and not command.invoke_without_command):
            unknown = [] if set(options) <= {"--help", "--version"} and not [w for w in rest if w[0] != "-"] else rest
        else:
            unknown = [option for option in options if option not in known | {"--help", "--"}]
        if unknown:
            wrong.append(f"{page}: varloom {' '.join(words)}: {' '.join(unknown)}")
    assert wrong == []


def test_every_command_helps():
    from click.testing import CliRunner

    for path, _ in commands(main):
        result = CliRunner().invoke(main, [*path, "--help"])
        assert result.exit_code == 0, path
        assert len(result.output.splitlines()) > 2, path


def test_links_between_documents_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    links = [(page, target) for page in pages for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))]
    local = [(page, target) for page, target in links if not target.startswith("http")]
    broken = [f"{page.name} -> {target}" for page, target in local if not (page.parent / target).exists()]
    assert len(local) > 5
    assert broken == []


def test_every_page_is_found_from_the_list_of_pages():
    docs = ROOT / "docs"
    listed = set(re.findall(r"\]\(([^)#]+\.md)\)", (docs / "README.md").read_text(encoding="utf-8")))
    assert listed == {str(page.relative_to(docs)) for page in docs.rglob("*.md")} - {"README.md"}


def test_each_promise_of_security_has_its_test():
    page = (ROOT / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+)`", page)
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)", source))
    assert len(named) > 40
    assert sorted(set(named) - there) == []
    promised = page.split("## What is promised")[1].split("## What was tried")[0]
    rows = [line for line in promised.splitlines() if line.startswith("|")]
    assert [row for row in rows if "`test_" not in row and not re.match(r"\| (promise|---)", row)] == []


def test_the_glossary_is_sorted():
    words = re.findall(r"^\*\*(.+?)\*\*", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert words == sorted(words, key=str.lower)
    assert len(words) == len(set(words))
